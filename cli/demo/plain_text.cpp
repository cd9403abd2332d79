#include "cli/demo/plain_text.h"

#include <cctype>
#include <utility>
#include <vector>

namespace freshet::demo {
namespace {

std::string_view next_line(std::string_view& rest) {
  std::size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

bool starts(std::string_view text, std::string_view with) {
  return text.substr(0, with.size()) == with;
}

// The names of roff's special characters that manual pages use.
std::string_view roff_character(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"lq", "“"},  {"rq", "”"}, {"oq", "‘"}, {"cq", "’"}, {"dq", "\""}, {"aq", "'"},
      {"Fo", "«"},  {"Fc", "»"}, {"em", "—"}, {"en", "–"}, {"bu", "•"},  {"co", "©"},
      {"rs", "\\"}, {"ti", "~"}, {"ha", "^"}, {"mu", "×"}, {"->", "→"},  {"<-", "←"},
      {"<=", "≤"},  {">=", "≥"}, {"ga", "`"}, {"hy", "-"}, {"mi", "-"},  {"+-", "±"}};
  for (auto [known, text] : kNames)
    if (known == name) return text;
  return "";
}

// The string registers that po4a and pod2man pages define.
std::string_view roff_string(std::string_view name) {
  if (name == "C`" || name == "C'") return "";
  if (name == "L\"" || name == "R\"") return "\"";
  if (name == "lq" || name == "rq") return name == "lq" ? "“" : "”";
  return "";
}

// The name after an escape: one character, "(xx" or "[name]". Moves `at` past it.
std::string_view roff_name(std::string_view line, std::size_t& at) {
  if (at >= line.size()) return "";
  if (line[at] == '(') {
    std::string_view name = line.substr(at + 1, 2);
    at += 1 + name.size();
    return name;
  }
  if (line[at] == '[') {
    std::size_t end = line.find(']', at);
    std::string_view name = line.substr(at + 1, end == std::string_view::npos ? end : end - at - 1);
    at = end == std::string_view::npos ? line.size() : end + 1;
    return name;
  }
  return line.substr(at++, 1);
}

// The escape after the backslash at `at`, as text. Moves `at` past it.
std::string roff_escape(std::string_view line, std::size_t& at) {
  if (at >= line.size()) return "";
  char kind = line[at++];
  switch (kind) {
    case '"': at = line.size(); return "";  // comment
    case '-': return "-";
    case 'e': return "\\";
    case ' ':
    case '~':
    case '0': return " ";
    case 'f': roff_name(line, at); return "";
    case 's':
      if (at < line.size() && (line[at] == '-' || line[at] == '+')) ++at;
      while (at < line.size() && std::isdigit(static_cast<unsigned char>(line[at]))) ++at;
      return "";
    case '*': return std::string(roff_string(roff_name(line, at)));
    case '(':
    case '[': --at; return std::string(roff_character(roff_name(line, at)));
    case '&':
    case '%':
    case ':':
    case '/':
    case ',':
    case '|':
    case '^':
    case 'c': return "";
    default: return std::string(1, kind);
  }
}

std::string roff_inline(std::string_view line) {
  std::string text;
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] != '\\') {
      text.push_back(line[at++]);
      continue;
    }
    ++at;
    text += roff_escape(line, at);
  }
  return text;
}

// The arguments of a macro: words, or several words in double quotes.
std::vector<std::string> roff_arguments(std::string_view rest) {
  std::vector<std::string> arguments;
  for (std::size_t at = 0; at < rest.size();) {
    if (rest[at] == ' ' || rest[at] == '\t') {
      ++at;
      continue;
    }
    bool quoted = rest[at] == '"';
    std::size_t end = quoted ? rest.find('"', at + 1) : rest.find_first_of(" \t", at);
    if (!quoted)  // "\ " is part of the word
      while (end != std::string_view::npos && end > at && rest[end - 1] == '\\')
        end = rest.find_first_of(" \t", end + 1);
    if (end == std::string_view::npos) end = rest.size();
    std::size_t from = quoted ? at + 1 : at;
    arguments.push_back(roff_inline(rest.substr(from, end - from)));
    at = quoted ? end + 1 : end;
  }
  return arguments;
}

std::string join(const std::vector<std::string>& words, std::string_view between,
                 std::size_t count = SIZE_MAX) {
  std::string text;
  for (std::size_t i = 0; i < words.size() && i < count; ++i) {
    if (i > 0) text += between;
    text += words[i];
  }
  return text;
}

// A macro's line as text; macros that only lay out a page give nothing.
std::string roff_macro(std::string_view line) {
  std::size_t end = line.find_first_of(" \t", 1);
  std::string_view name = line.substr(1, end == std::string_view::npos ? end : end - 1);
  auto arguments =
      roff_arguments(end == std::string_view::npos ? std::string_view{} : line.substr(end));
  if (name == "SH" || name == "SS" || name == "Sh" || name == "Ss")
    return "\n" + join(arguments, " ") + "\n\n";
  if (name == "B" || name == "I" || name == "SM" || name == "SB")
    return join(arguments, " ") + "\n";
  if (name == "BR" || name == "RB" || name == "IR" || name == "RI" || name == "BI" || name == "IB")
    return join(arguments, "") + "\n";
  if (name == "IP") return "\n" + join(arguments, "", 1) + "\n";
  if (name == "PP" || name == "P" || name == "LP" || name == "TP" || name == "HP" || name == "Pp")
    return "\n";
  return "";
}

// The text of a POD entity: E<lt>, E<0x263a> and the like; a number that is no ASCII gives nothing.
std::string pod_entity(std::string_view name) {
  if (name == "lt") return "<";
  if (name == "gt") return ">";
  if (name == "verbar") return "|";
  if (name == "sol") return "/";
  return "";
}

std::string pod_inline(std::string_view text);

std::string pod_code(char code, std::string_view inside) {
  switch (code) {
    case 'X':
    case 'Z': return "";
    case 'E': return pod_entity(inside);
    case 'L': {
      std::size_t bar = inside.find('|');
      return pod_inline(bar == std::string_view::npos ? inside : inside.substr(0, bar));
    }
    case 'C':
      return inside.find('<') == std::string_view::npos ? std::string(inside) : pod_inline(inside);
    default: return pod_inline(inside);
  }
}

// The end of a formatting code whose brackets open at `open`: nested ones are skipped. npos where
// it has none.
std::size_t pod_code_end(std::string_view text, std::size_t open, std::size_t brackets) {
  if (brackets > 1) {
    std::size_t end = text.find(" " + std::string(brackets, '>'), open);
    return end;
  }
  std::size_t depth = 0;
  for (std::size_t at = open; at < text.size(); ++at) {
    if (text[at] == '<' && at > 0 && std::isupper(static_cast<unsigned char>(text[at - 1])))
      ++depth;
    if (text[at] == '>' && --depth == 0) return at;
  }
  return std::string_view::npos;
}

std::string pod_inline(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    bool code = std::string_view("BCEFILSXZ").find(text[at]) != std::string_view::npos &&
                at + 1 < text.size() && text[at + 1] == '<';
    if (!code) {
      out.push_back(text[at]);
      continue;
    }
    std::size_t brackets = 0, open = at + 1;
    while (open + brackets < text.size() && text[open + brackets] == '<') ++brackets;
    std::size_t end = pod_code_end(text, open, brackets);
    if (end == std::string_view::npos) {
      out.push_back(text[at]);
      continue;
    }
    std::string_view inside = text.substr(open + brackets, end - open - brackets);
    if (brackets > 1 && starts(inside, " ")) inside.remove_prefix(1);
    out += pod_code(text[at], inside);
    at = brackets > 1 ? end + brackets : end;
  }
  return out;
}

}  // namespace

std::string plain_from_roff(std::string_view page) {
  std::string text;
  bool table = false;
  while (!page.empty()) {
    std::string_view line = next_line(page);
    if (starts(line, ".TS") || starts(line, ".TE")) table = starts(line, ".TS");
    if (table || starts(line, ".\\\"") || starts(line, "'\\\"")) continue;
    text += starts(line, ".") || starts(line, "'") ? roff_macro(line) : roff_inline(line) + "\n";
  }
  return text;
}

std::string plain_from_pod(std::string_view pod) {
  std::string text, paragraph;
  bool skipped = false;  // between =begin and =end
  auto finish = [&] {
    if (paragraph.empty()) return;
    std::string_view view = paragraph;
    if (starts(view, "=begin")) skipped = true;
    if (starts(view, "=head") || starts(view, "=item")) {
      std::size_t title = view.find_first_of(" \n");
      if (!skipped && title != std::string_view::npos)
        text += pod_inline(view.substr(title + 1)) + "\n";
    } else if (!skipped && view.front() != '=') {
      text += (view.front() == ' ' || view.front() == '\t' ? paragraph : pod_inline(view)) + "\n";
    }
    if (starts(view, "=end")) skipped = false;
    paragraph.clear();
  };
  while (!pod.empty()) {
    std::string_view line = next_line(pod);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos)
      finish();
    else
      paragraph += std::string(line) + "\n";
  }
  finish();
  return text;
}

std::string plain_from_dictionary(std::string_view entries) {
  std::string text;
  bool about = false;  // entries 00-database-...: about the file itself
  while (!entries.empty()) {
    std::string_view line = next_line(entries);
    bool headword = !line.empty() && line.front() != ' ' && line.front() != '\t';
    if (headword) about = starts(line, "00-database");
    if (about) continue;
    for (char c : line)
      if (c != '{' && c != '}') text.push_back(c);
    text.push_back('\n');
  }
  return text;
}

std::string plain_from_fortunes(std::string_view fortunes) {
  std::string text;
  while (!fortunes.empty()) {
    std::string_view line = next_line(fortunes);
    if (line != "%") text += line;
    text.push_back('\n');
  }
  return text;
}

std::string tidy(std::string_view text) {
  std::string out;
  bool empty_before = true;
  while (!text.empty()) {
    std::string line;
    for (char c : next_line(text))
      if (c == '\t' || static_cast<unsigned char>(c) >= 0x20) line.push_back(c);
    line.erase(line.find_last_not_of(" \t") + 1);
    if (line.empty() && empty_before) continue;
    empty_before = line.empty();
    out += line + "\n";
  }
  while (out.size() > 1 && out[out.size() - 1] == '\n' && out[out.size() - 2] == '\n')
    out.pop_back();
  return out;
}

}  // namespace freshet::demo
