#pragma once
// Cuts text into the words that are merged each on its own, as a tokenizer file's pre_tokenizer
// says.

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/tokenizer/tokenizer_file.h"
#include "model/tokenizer/word_sink.h"

namespace freshet {

class PreTokenizer {
 public:
  // A pattern that cannot be used is refused.
  static Result<PreTokenizer> make(std::span<const PreTokenizerStep> steps);

  // Calls `word` with every word of `text`, none empty, in order. `at_start`: nothing stands before
  // `text` in the whole. Safe from several threads.
  void split(std::string_view text, bool at_start, const WordSink& word) const {
    run(0, text, at_start, word);
  }

  PreTokenizer(PreTokenizer&&) noexcept;
  PreTokenizer& operator=(PreTokenizer&&) noexcept;
  ~PreTokenizer();

 private:
  struct Step;
  explicit PreTokenizer(std::vector<Step> steps);
  void run(std::size_t step, std::string_view text, bool at_start, const WordSink& word) const;
  void run_byte_level(std::size_t step, std::string_view text, const WordSink& next) const;
  void run_split(std::size_t step, std::string_view text, const WordSink& next) const;
  void run_metaspace(std::size_t step, std::string_view text, bool at_start,
                     const WordSink& next) const;
  std::vector<Step> steps_;
};

}  // namespace freshet
