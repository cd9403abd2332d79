#pragma once
// Changes text before it is cut into words, as a tokenizer file's normalizer says.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/tokenizer/pattern.h"
#include "model/tokenizer/tokenizer_file.h"

namespace freshet {

// `text` with every `from`, left to right, replaced. An empty `from` stands nowhere.
void replace_all(std::string& text, std::string_view from, std::string_view to);

class Normalizer {
 public:
  // A pattern that cannot be used is refused.
  static Result<Normalizer> make(std::span<const NormalizerStep> steps);

  bool empty() const { return steps_.empty(); }
  std::string run(std::string_view text) const;

 private:
  struct Step {
    NormalizerStep is;
    std::optional<Pattern> pattern;
  };
  std::vector<Step> steps_;
};

}  // namespace freshet
