#include "cli/manual/completion.h"

#include <fmt/format.h>

namespace freshet {
namespace {

// Shells see words alone: what else stands in a value is left out of what is offered.
bool plain(const std::string& word) {
  for (char c : word)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_' && c != '.')
      return false;
  return !word.empty();
}

void add_words(const CommandText& command, const std::string& path, std::string& cases) {
  std::string words;
  for (const CommandText& each : command.commands) words += " " + each.name;
  for (const FlagText& flag : command.flags)
    for (const std::string& name : flag.names)
      if (plain(name)) words += " " + name;
  cases += fmt::format("    '{}') words='{}' ;;\n", path, words.empty() ? "" : words.substr(1));
  for (const CommandText& each : command.commands)
    add_words(each, path.empty() ? each.name : path + " " + each.name, cases);
}

// What may follow a flag: its values where they are few, else what the shell itself offers.
void add_values(const CommandText& command, const std::string& path, std::string& cases) {
  for (const FlagText& flag : command.flags) {
    if (flag.takes.empty()) continue;
    std::string values;
    for (const std::string& word : flag.words)
      if (plain(word)) values += " " + word;
    for (const std::string& name : flag.names)
      cases += fmt::format("    '{} {}') {} ;;\n", path, name,
                           values.empty() ? "return" : "words='" + values.substr(1) + "'");
  }
  for (const CommandText& each : command.commands)
    add_values(each, path.empty() ? each.name : path + " " + each.name, cases);
}

void add_paths(const CommandText& command, const std::string& path, std::string& paths) {
  for (const CommandText& each : command.commands) {
    const std::string below = path.empty() ? each.name : path + " " + each.name;
    paths += (paths.empty() ? "'" : "|'") + below + "'";
    add_paths(each, below, paths);
  }
}

}  // namespace

std::string bash_completion(const CommandText& root) {
  std::string words, values, paths;
  add_words(root, "", words);
  add_values(root, "", values);
  add_paths(root, "", paths);
  return fmt::format(
      R"bash(# Completion of freshet for bash: eval "$(freshet completion bash)", or keep it in
# /usr/share/bash-completion/completions/freshet. Made by `freshet completion`.
_freshet() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} path= words= i next
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="${{path:+$path }}${{COMP_WORDS[i]}}"
    case "$next" in
    {}) path=$next ;;
    *) break ;;
    esac
  done
  case "$path $before" in
{}    *)
    case "$path" in
{}    esac
    ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o bashdefault -o default -F _freshet freshet
)bash",
      paths, values, words);
}

std::string zsh_completion(const CommandText& root) {
  return "#compdef freshet\nautoload -U +X bashcompinit && bashcompinit\n" + bash_completion(root);
}

}  // namespace freshet
