#pragma once
// GPT-2's byte-level form (Radford et al. 2019): an alphabet of 256 printable characters, one for
// each byte, and the pattern that splits text into words before any merge.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace freshet {

// The character that stands for a byte in a vocabulary, and back; -1 for a character that stands
// for none.
char32_t byte_character(std::uint8_t byte);
int byte_of_character(char32_t character);

// The bytes that a token of a byte-level vocabulary stands for; a token with another character
// stands for itself.
std::string bytes_of_token(std::string_view token);

class WordSplitter {
 public:
  WordSplitter();
  ~WordSplitter();
  WordSplitter(WordSplitter&&) noexcept;
  WordSplitter& operator=(WordSplitter&&) noexcept;

  // Calls `word` with every word of `text`, in order; together they are the text. A run of bytes
  // that are not UTF-8 is a word of its own. Safe from several threads.
  void split(std::string_view text, const std::function<void(std::string_view)>& word) const;

 private:
  struct Pattern;
  std::unique_ptr<Pattern> pattern_;
};

}  // namespace freshet
