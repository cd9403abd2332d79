#pragma once
// Regular expressions of tokenizer files. They are written for Oniguruma (Ruby's syntax) and
// translated for PCRE2 where both mean the same; anything else is refused by name.

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/result.h"

namespace freshet {

// Thrown where a pattern takes far more work than its text is worth. Patterns come with models,
// which strangers write: whoever encodes text for others catches std::exception and refuses the
// request. No ids that other tokenizers would not give are ever made instead.
struct PatternRunsAway : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Pattern {
 public:
  // An expression that runs away on short texts of letters, digits or spaces is refused.
  static Result<Pattern> compile(std::string_view expression);
  static Result<Pattern> literal(std::string_view text);  // REQUIRES: not empty

  // Calls `found` with each match from the left, none overlapping; an empty match right behind the
  // last one does not count. Steps and time are bounded for the whole text, in proportion to its
  // length (limits::kPattern...); throws PatternRunsAway where they do not suffice.
  // REQUIRES: `text` is well-formed UTF-8. Safe from several threads.
  void each(std::string_view text,
            const std::function<void(std::size_t begin, std::size_t end)>& found) const;

  // `text` with every match replaced, by each()'s rules; bytes that are not UTF-8 stay.
  std::string replace(std::string_view text, std::string_view by) const;

  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

 private:
  struct Code;
  class Search;
  explicit Pattern(std::unique_ptr<Code> code);
  static Result<Pattern> build(std::string_view source, std::uint32_t options,
                               std::string_view shown);
  std::unique_ptr<Code> code_;
};

// The same expression for PCRE2 with UTF and UCP; split from compile() for tests.
Result<std::string> pcre_of_oniguruma(std::string_view expression);

}  // namespace freshet
