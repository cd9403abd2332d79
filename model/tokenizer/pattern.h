#pragma once
// Regular expressions of tokenizer files. They are written for Oniguruma (Ruby's syntax) and
// translated for PCRE2 where both mean the same; anything else is refused by name.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace freshet {

class Pattern {
 public:
  static Result<Pattern> compile(std::string_view expression);
  static Result<Pattern> literal(std::string_view text);  // REQUIRES: not empty

  // Calls `found` with each match from the left, none overlapping; an empty match right behind the
  // last one does not count. A match that takes more than the matcher's limits ends the search.
  // REQUIRES: `text` is well-formed UTF-8. Safe from several threads.
  void each(std::string_view text,
            const std::function<void(std::size_t begin, std::size_t end)>& found) const;

  // `text` with every match replaced; bytes that are not UTF-8 stay.
  std::string replace(std::string_view text, std::string_view by) const;

  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

 private:
  struct Code;
  explicit Pattern(std::unique_ptr<Code> code);
  static Result<Pattern> build(std::string_view source, std::uint32_t options,
                               std::string_view shown);
  std::unique_ptr<Code> code_;
};

// The same expression for PCRE2 with UTF and UCP; split from compile() for tests.
Result<std::string> pcre_of_oniguruma(std::string_view expression);

}  // namespace freshet
