#include "aggregation/robust/opened.h"

#include <algorithm>

#include "base/check.h"

namespace freshet {

void OpenedBlock::set(std::size_t update, const QuantizedUpdate& opened, std::size_t first) {
  CHECK(update < updates_ && first + entries_ < opened.words.size(), "row {} of {}, {} + {} of {}",
        update, updates_, first, entries_, opened.words.size());
  const std::uint32_t* words = opened.words.data() + first;
  float* to = values_.data() + update * entries_;
  for (std::size_t i = 0; i < entries_; ++i) to[i] = static_cast<float>(words[i]);
}

void OpenedBlock::set(std::size_t update, std::span<const float> values, std::size_t first) {
  CHECK(update < updates_ && first + entries_ <= values.size(), "row {} of {}, {} + {} of {}",
        update, updates_, first, entries_, values.size());
  std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(first), entries_,
              values_.begin() + static_cast<std::ptrdiff_t>(update * entries_));
}

}  // namespace freshet
