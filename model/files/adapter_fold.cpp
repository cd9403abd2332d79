#include "model/files/adapter_fold.h"

#include <algorithm>

#include "base/check.h"
#include "model/modules.h"

namespace freshet {

Result<AdapterFold> AdapterFold::make(const ModelConfig& config, const AdapterSpec& spec,
                                      std::vector<float> values) {
  TRY_ASSIGN(const Layout layout, adapter_layout(config, spec));
  CHECK(values.size() == layout.size, "{} {}", values.size(), layout.size);
  AdapterFold fold;
  const bool transposed = linear_modules(config).front().transposed;
  for (std::size_t i = 0; i + 1 < layout.entries.size(); i += 2)
    fold.factors_.emplace(layout.entries[i].module + ".weight",
                          Factors{layout.entries[i], layout.entries[i + 1], transposed});
  fold.values_ = std::move(values);
  return fold;
}

bool AdapterFold::adapts(std::string_view weight) const { return factors_.contains(weight); }

void AdapterFold::add_to_rows(std::string_view name, std::int64_t first, std::int64_t count,
                              float* rows) const {
  const auto found = factors_.find(name);
  if (found == factors_.end()) return;
  const auto& [a_entry, b_entry, transposed] = found->second;
  const float* a = values_.data() + a_entry.offset;  // [r, in]
  const float* b = values_.data() + b_entry.offset;  // [out, r]
  const auto in = static_cast<std::size_t>(a_entry.columns);
  const auto out = static_cast<std::size_t>(b_entry.rows);
  const auto rank = static_cast<std::size_t>(a_entry.rows);
  const std::size_t columns = transposed ? out : in;
  std::vector<float> sum(columns);
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const std::size_t row = static_cast<std::size_t>(first) + i;
    std::fill(sum.begin(), sum.end(), 0.0f);
    for (std::size_t r = 0; r < rank; ++r) {
      const float weight = transposed ? a[r * in + row] : b[row * rank + r];
      const float* from = transposed ? b + r : a + r * in;
      const std::size_t step = transposed ? rank : 1;
      for (std::size_t c = 0; c < columns; ++c) sum[c] += weight * from[c * step];
    }
    for (std::size_t c = 0; c < columns; ++c) rows[i * columns + c] += a_entry.scale * sum[c];
  }
}

}  // namespace freshet
