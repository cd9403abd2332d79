#pragma once
// A federated LoRA method: which factors train in which round. One factor at a time makes the mean
// of the updates exact (the mean of products is not the product of means); FedIT averages both and
// is an approximation.

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace freshet {

enum class Method {
  kFedit,   // A and B every round (Zhang et al. 2023, arXiv:2305.05644); approximate
  kFfa,     // B only, A frozen from a public seed (Sun et al. 2024, arXiv:2403.12313)
  kRolora,  // B in odd rounds, A in even ones (Chen et al. 2025, arXiv:2502.01755)
  kFedsvd,  // B only; the server turns A after each round (Lee et al. 2025, arXiv:2505.12805)
  kFedsb,   // the r x r core of B alone, the fewest bytes (Singhal et al. 2025, arXiv:2502.15436)
};

struct Factors {  // which LoRA factors are trained and sent
  bool a = false, b = false;
  bool core = false;  // of B its core alone (model/core_map.h); then neither a nor b
  bool operator==(const Factors&) const = default;
};

// `version` is the version that the round starts from, counted from 0; the first trained factor is
// always B (or both).
Factors factors_of(Method method, std::uint64_t version);

// Whether refactor() follows each round. Then a server rule with moments would add up what was
// measured along axes that have turned since: it takes sgd.
bool refactors(Method method);

std::string_view name_of(Method method);
Result<Method> method_named(std::string_view name);

}  // namespace freshet
