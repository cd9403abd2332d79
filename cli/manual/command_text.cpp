#include "cli/manual/command_text.h"

#include <cstdio>
#include <map>

#include "base/files.h"
#include "base/json.h"
#include "cli/verbs.h"

namespace freshet {
namespace {

constexpr std::size_t kDescriptionBytesMax = 1 << 20;

FlagText flag_of(const Json& json) {
  return {json.at("names").get<std::vector<std::string>>(),
          json.at("says").get<std::string>(),
          json.at("takes").get<std::string>(),
          json.at("default").get<std::string>(),
          json.at("words").get<std::vector<std::string>>(),
          json.at("required").get<bool>()};
}

CommandText command_of(const Json& json) {
  CommandText command{json.at("name").get<std::string>(),
                      json.at("says").get<std::string>(),
                      json.at("footer").get<std::string>(),
                      {},
                      {},
                      {}};
  for (const Json& flag : json.at("flags")) command.flags.push_back(flag_of(flag));
  for (const Json& place : json.at("places")) command.places.push_back(flag_of(place));
  for (const Json& each : json.at("commands")) command.commands.push_back(command_of(each));
  return command;
}

// A path between quotes of the shell.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

Result<CommandText> described_by(const Path& program) {
  std::FILE* pipe = ::popen((quoted(program.string()) + " --describe").c_str(), "r");
  if (pipe == nullptr) return tl::unexpected(errno_error("cannot start", program));
  std::string text;
  char block[4096];
  for (std::size_t got = 0;
       text.size() < kDescriptionBytesMax && (got = std::fread(block, 1, sizeof block, pipe)) > 0;)
    text.append(block, got);
  if (::pclose(pipe) != 0)
    return fail(Code::kCorrupt, program.string() + " does not describe itself; build it again");
  return command_text(text);
}

const CommandText* child_of(const CommandText& command, std::string_view name) {
  for (const CommandText& each : command.commands)
    if (each.name == name) return &each;
  return nullptr;
}

// Puts a verb's command below the word, or the two words, that people type.
void place(CommandText& root, const Verb& verb, CommandText command) {
  CommandText* parent = &root;
  if (!verb.second.empty()) {
    if (child_of(root, verb.name) == nullptr)
      root.commands.push_back({std::string(verb.name), "", "", {}, {}, {}});
    for (CommandText& each : root.commands)
      if (each.name == verb.name) parent = &each;
  }
  command.name = verb.second.empty() ? verb.name : verb.second;
  parent->commands.push_back(std::move(command));
}

}  // namespace

Result<CommandText> command_text(std::string_view json) {
  TRY_ASSIGN(const Json parsed, parse_json(json, "description of a command"));
  try {
    return command_of(parsed);
  } catch (const Json::exception& error) {
    return fail(Code::kCorrupt, std::string("no description of a command: ") + error.what());
  }
}

Result<CommandText> all_commands() {
  CommandText root{
      "freshet", "Fine-tunes language models on private text where it lives", "", {}, {}, {}};
  std::map<std::string, CommandText> programs;
  for (const Verb& verb : all_verbs()) {
    const std::string name(verb.program);
    if (programs.count(name) == 0) {
      if (!std::filesystem::exists(binary_folder() / name)) continue;
      TRY_ASSIGN(programs[name], described_by(binary_folder() / name));
    }
    const CommandText* command = &programs[name];
    if (!verb.before.empty()) command = child_of(*command, verb.before);
    if (command == nullptr)
      return fail(Code::kCorrupt, name + " has no " + std::string(verb.before));
    place(root, verb, *command);
  }
  return root;
}

}  // namespace freshet
