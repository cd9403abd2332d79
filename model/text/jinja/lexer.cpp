#include "model/text/jinja/lexer.h"

#include <array>

#include "model/tokenizer/utf8.h"

namespace freshet::jinja {
namespace {

constexpr std::string_view kBlank = " \t\n\v\f\r";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) TRY(next());
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return std::string_view(source_).substr(at_); }

  void put(Token::Kind kind, std::string_view text) {
    tokens_.push_back({kind, std::string(text), at_});
  }

  Error error(std::string_view what) const {
    return {Code::kBadInput, std::string(what) + " at byte " + std::to_string(at_)};
  }

  // A text and the tag behind it.
  Result<void> next() {
    std::size_t tag = source_.find('{', at_);
    while (tag != std::string::npos &&
           (tag + 1 == source_.size() ||
            std::string_view("{%#").find(source_[tag + 1]) == std::string_view::npos))
      tag = source_.find('{', tag + 1);
    std::string_view text = std::string_view(source_).substr(at_, tag - at_);
    const bool last = tag == std::string::npos;
    const char kind = last ? ' ' : source_[tag + 1];
    const char control = !last && tag + 2 < source_.size() ? source_[tag + 2] : ' ';
    if (!last && control == '-') {
      text = text.substr(0, text.find_last_not_of(kBlank) + 1);
    } else if (!last && kind != '{' && control != '+') {
      const std::size_t line = text.rfind('\n') + 1;  // 0 where there is none
      if ((line > 0 || line_starts_) &&
          text.find_first_not_of(kBlank, line) == std::string_view::npos)
        text = text.substr(0, line);
    }
    if (!text.empty()) put(Token::Kind::kText, text);
    if (last) {
      at_ = source_.size();
      return {};
    }
    at_ = tag + 2 + (control == '-' || control == '+' ? 1 : 0);
    if (kind == '#') return comment();
    put(kind == '{' ? Token::Kind::kOutputBegin : Token::Kind::kBlockBegin, "");
    return expression(kind == '{' ? "}}" : "%}");
  }

  Result<void> comment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string::npos) return tl::unexpected(error("a comment that does not end"));
    const bool strips = end > at_ && source_[end - 1] == '-';
    at_ = end + 2;
    after_tag(strips, true);
    return {};
  }

  void after_tag(bool strips, bool block) {
    const std::size_t before = at_;
    if (strips)
      at_ = std::min(source_.find_first_not_of(kBlank, at_), source_.size());
    else if (block && at_ < source_.size() && source_[at_] == '\n')
      ++at_;
    line_starts_ = at_ > before && source_[at_ - 1] == '\n';
  }

  // To the end of the tag. Brackets are counted: "}}" may close two of them.
  Result<void> expression(std::string_view close) {
    int depth = 0;
    for (;;) {
      at_ = std::min(source_.find_first_not_of(kBlank, at_), source_.size());
      if (at_ == source_.size()) return tl::unexpected(error("a tag that does not end"));
      const bool control = source_[at_] == '-' || source_[at_] == '+';
      if (depth == 0 && rest().substr(control ? 1 : 0).starts_with(close)) {
        const bool strips = source_[at_] == '-';
        put(Token::Kind::kEnd, "");
        at_ += close.size() + (control ? 1 : 0);
        after_tag(strips, close == "%}");
        return {};
      }
      const char c = source_[at_];
      if (c == '\'' || c == '"')
        TRY(string(c));
      else if (is_name(c))
        word();
      else
        TRY(symbol(depth));
    }
  }

  void word() {
    std::size_t end = at_;
    while (end < source_.size() && is_name(source_[end])) ++end;
    put(is_digit(source_[at_]) ? Token::Kind::kNumber : Token::Kind::kName,
        rest().substr(0, end - at_));
    at_ = end;
  }

  Result<void> symbol(int& depth) {
    constexpr std::array<std::string_view, 24> kSymbols = {
        "==", "!=", "<=", ">=", "//", "**", "+", "-", "*", "/", "%", "~",
        "<",  ">",  "=",  "|",  ".",  ",",  ":", "(", ")", "[", "]", "{"};
    for (const std::string_view symbol : kSymbols) {
      if (!rest().starts_with(symbol)) continue;
      if (symbol == "(" || symbol == "[" || symbol == "{") ++depth;
      if (symbol == ")" || symbol == "]") --depth;
      put(Token::Kind::kSymbol, symbol);
      at_ += symbol.size();
      return {};
    }
    if (source_[at_] == '}') {
      --depth;
      put(Token::Kind::kSymbol, "}");
      ++at_;
      return {};
    }
    return tl::unexpected(error("a character that is no part of an expression"));
  }

  Result<void> string(char quote) {
    std::string text;
    const std::size_t start = at_++;
    while (at_ < source_.size() && source_[at_] != quote) {
      if (source_[at_] == '\\' && at_ + 1 < source_.size())
        TRY(escape(text));
      else
        text += source_[at_++];
    }
    if (at_ == source_.size()) return tl::unexpected(error("a string that does not end"));
    ++at_;
    tokens_.push_back({Token::Kind::kString, std::move(text), start});
    return {};
  }

  Result<void> escape(std::string& text) {
    constexpr std::string_view kNamed = "nrtvfab0", kMeans("\n\r\t\v\f\a\b\0", 8);
    const char c = source_[at_ + 1];
    at_ += 2;
    if (const std::size_t named = kNamed.find(c); named != std::string_view::npos) {
      text += kMeans[named];
    } else if (c == 'x' || c == 'u') {
      const std::size_t digits = c == 'x' ? 2 : 4;
      char32_t value = 0;
      for (std::size_t i = 0; i < digits; ++i, ++at_) {
        const std::size_t digit =
            at_ < source_.size()
                ? std::string_view("0123456789abcdef").find(static_cast<char>(source_[at_] | 0x20))
                : std::string_view::npos;
        if (digit == std::string_view::npos)
          return tl::unexpected(error("an escape that is not whole"));
        value = value * 16 + static_cast<char32_t>(digit);
      }
      if (value >= 0xD800 && value < 0xE000) return tl::unexpected(error("half a character"));
      append_utf8(text, value);
    } else if (c == '\\' || c == '\'' || c == '"') {
      text += c;
    } else if (c != '\n') {  // that joins lines; an escape nobody knows stays as it is
      text += '\\';
      text += c;
    }
    return {};
  }

  std::string source_;
  std::size_t at_ = 0;
  bool line_starts_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> lex(std::string_view source) {
  std::string lines;  // every line end is one "\n", but none at the very end
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    lines += source[i] == '\r' ? '\n' : source[i];
  }
  if (lines.ends_with('\n')) lines.pop_back();
  return Lexer(std::move(lines)).run();
}

}  // namespace freshet::jinja
