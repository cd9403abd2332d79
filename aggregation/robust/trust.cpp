#include "aggregation/robust/trust.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "aggregation/robust/sum_audit.h"

namespace freshet {

Result<std::vector<double>> trusted_mean(std::span<const float> own,
                                         std::span<const std::vector<float>> updates) {
  const double own_norm = norm_of(own);
  if (!std::isfinite(own_norm)) return fail(Code::kBadInput, "the own update is not finite");
  std::vector<double> mean(own.size(), 0.0);
  double trust_sum = 0;
  for (std::size_t i = 0; i < updates.size(); ++i) {
    if (updates[i].size() != own.size() || !std::isfinite(norm_of(updates[i])))
      return fail(Code::kBadInput, fmt::format("update {} has {} values, of {}, or one that is no "
                                               "finite number",
                                               i, updates[i].size(), own.size()));
    const double trust = std::max(0.0, cosine(own, updates[i]));
    if (trust == 0) continue;
    trust_sum += trust;
    const double factor = trust * own_norm / norm_of(updates[i]);
    for (std::size_t entry = 0; entry < mean.size(); ++entry)
      mean[entry] += factor * static_cast<double>(updates[i][entry]);
  }
  if (trust_sum > 0)
    for (double& value : mean) value /= trust_sum;
  return mean;
}

}  // namespace freshet
