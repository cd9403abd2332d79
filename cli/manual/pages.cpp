#include "cli/manual/pages.h"

#include <fmt/format.h>

namespace freshet {
namespace {

// Text as roff takes it: a backslash is named, a dash is a dash, no line begins with a request.
std::string roff(std::string_view text) {
  std::string out;
  bool fresh = true;
  for (char c : text) {
    if (fresh && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    fresh = c == '\n';
  }
  return out;
}

std::string head(const std::string& title, const std::string& version) {
  std::string upper = title;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return fmt::format(".TH {} 1 \"\" \"{}\" \"Freshet\"\n", roff(upper), version);
}

std::string line_of(const FlagText& flag) {
  std::string text;
  for (const std::string& name : flag.names) text += (text.empty() ? "" : ", ") + name;
  std::string out = ".TP\n\\fB" + roff(text) + "\\fR";
  if (!flag.takes.empty() && flag.names[0][0] == '-') out += " \\fI" + roff(flag.takes) + "\\fR";
  out += "\n" + roff(flag.says);
  if (!flag.words.empty()) {
    std::string words;
    for (const std::string& word : flag.words) words += (words.empty() ? "" : ", ") + word;
    out += (flag.says.empty() ? "One of " : ". One of ") + roff(words);
  }
  if (flag.required) out += flag.says.empty() ? "Required" : ". Required";
  if (!flag.standard.empty()) out += roff(fmt::format(" (default {})", flag.standard));
  return out + "\n";
}

std::string synopsis(const CommandText& command, const std::string& path) {
  std::string out = "\\fB" + roff(path) + "\\fR";
  if (!command.commands.empty()) out += " \\fICOMMAND\\fR";
  for (const FlagText& place : command.places)
    out += (place.required ? " \\fI" : " [\\fI") + roff(place.names[0]) +
           (place.required ? "\\fR" : "\\fR]");
  return out + " [\\fIOPTIONS\\fR]";
}

// A command and what stands below it, each under a heading of its own.
void add_command(const CommandText& command, const std::string& path, bool top, std::string& page) {
  if (!top) page += fmt::format(".SS \"{}\"\n", roff(path));
  if (!top) page += synopsis(command, path) + "\n.PP\n";
  if (!command.says.empty()) page += roff(command.says) + "\n";
  for (const FlagText& place : command.places) page += line_of(place);
  for (const FlagText& flag : command.flags)
    if (flag.names.back() != "--help") page += line_of(flag);
  for (const CommandText& each : command.commands)
    add_command(each, path + " " + each.name, false, page);
  if (!command.footer.empty()) page += ".PP\n.nf\n" + roff(command.footer) + "\n.fi\n";
}

constexpr std::string_view kExits = R"(.SH EXIT STATUS
0 done, 1 a bug, 2 wrong usage, 3 bad input, 4 refused, 5 unavailable, 6 expired, 7 no space, 8 corrupt, 130 interrupted;
docs/exit\-codes.md says what to do about each.
)";

std::string see_also(const CommandText& root, const std::string& but) {
  std::string out;
  for (const CommandText& each : root.commands)
    if (each.name != but)
      out += (out.empty() ? "" : ", ") + ("\\fBfreshet\\-" + roff(each.name) + "\\fR(1)");
  if (!but.empty()) out = "\\fBfreshet\\fR(1), " + out;
  return ".SH SEE ALSO\n" + out + "\n";
}

std::string one_line(const std::string& says, const std::string& otherwise) {
  std::string line = says.empty() ? otherwise : says.substr(0, says.find_first_of(".\n"));
  return roff(line);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> man_pages(const CommandText& root,
                                                           const std::string& version) {
  std::vector<std::pair<std::string, std::string>> pages;
  std::string main = head("freshet", version) + ".SH NAME\nfreshet \\- " + one_line(root.says, "") +
                     "\n.SH SYNOPSIS\n\\fBfreshet\\fR \\fIVERB\\fR [\\fIOPTIONS\\fR]\n.SH VERBS\n";
  for (const CommandText& verb : root.commands) {
    const std::string name = "freshet-" + verb.name, path = "freshet " + verb.name;
    const std::string line = one_line(verb.says, "what stands below");
    main += fmt::format(".TP\n\\fB{}\\fR\n{}; see \\fB{}\\fR(1)\n", roff(path), line, roff(name));
    std::string page = head(name, version) +
                       fmt::format(".SH NAME\n{} \\- {}\n", roff(name), line) + ".SH SYNOPSIS\n" +
                       synopsis(verb, path) + "\n.SH DESCRIPTION\n";
    add_command(verb, path, true, page);
    pages.emplace_back(name + ".1", page + std::string(kExits) + see_also(root, verb.name));
  }
  pages.emplace_back("freshet.1", main + std::string(kExits) + see_also(root, ""));
  return pages;
}

}  // namespace freshet
