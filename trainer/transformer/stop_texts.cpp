#include "trainer/transformer/stop_texts.h"

#include <algorithm>
#include <utility>

namespace freshet {

StopTexts::StopTexts(std::vector<std::string> texts) : texts_(std::move(texts)) {
  std::erase_if(texts_, [](const std::string& text) { return text.empty(); });
}

std::string StopTexts::put(std::string_view piece) {
  if (found_) return "";
  held_ += piece;
  std::size_t first = std::string::npos;
  for (const std::string& text : texts_) first = std::min(first, held_.find(text));
  if (first != std::string::npos) {
    found_ = true;
    held_.resize(first);
    return std::exchange(held_, "");
  }
  std::size_t kept = 0;  // the longest end of held_ that begins a stop text
  for (const std::string& text : texts_)
    for (std::size_t count = std::min(text.size() - 1, held_.size()); count > kept; --count)
      if (held_.ends_with(std::string_view(text).substr(0, count))) kept = count;
  std::string shown = held_.substr(0, held_.size() - kept);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopTexts::finish() { return std::exchange(held_, ""); }

}  // namespace freshet
