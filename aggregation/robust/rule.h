#pragma once
// Rules that make one vector of many so that a few poisoned ones do not decide it. All but the mean
// look at updates one by one: they belong to the mode that opens updates, or to the means of
// groups, each of which is a masked sum of its own (aggregation/robust/groups.h). There is no way
// from a MaskedUpdate into any of them.

#include <cstdint>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace freshet {

struct Mean {
  bool operator==(const Mean&) const = default;
};
struct Median {  // of each coordinate (Yin et al. 2018, arXiv:1803.01498)
  bool operator==(const Median&) const = default;
};
struct TrimmedMean {  // of each coordinate, without its `trim` highest and lowest (the same)
  std::uint32_t trim = 1;
  bool operator==(const TrimmedMean&) const = default;
};
struct Krum {  // the update with the nearest neighbours (Blanchard et al. 2017, arXiv:1703.02757)
  std::uint32_t byzantine = 1;
  bool operator==(const Krum&) const = default;
};
struct MultiKrum {  // the mean of the `keep` updates with the lowest scores
  std::uint32_t byzantine = 1, keep = 1;
  bool operator==(const MultiKrum&) const = default;
};
struct Bulyan {  // Krum's choices, then the values around the median (El Mhamdi et al. 2018,
                 // arXiv:1802.07927)
  std::uint32_t byzantine = 1;
  bool operator==(const Bulyan&) const = default;
};
struct GeometricMedian {  // by Weiszfeld's passes (RFA: Pillutla et al. 2022, arXiv:1912.13445)
  std::uint32_t passes = 8;
  double floor = 1e-5;  // no distance counts as smaller; in the units of the update
  bool operator==(const GeometricMedian&) const = default;
};
using RobustRule =
    std::variant<Mean, Median, TrimmedMean, Krum, MultiKrum, Bulyan, GeometricMedian>;

// "mean", "median", "trimmed-mean", "krum", "multi-krum", "bulyan", "geometric-median"
std::string_view name_of(const RobustRule& rule);
Result<RobustRule> robust_rule_named(std::string_view name);  // with its defaults

bool needs_single_updates(const RobustRule& rule);  // all but the mean
bool needs_distances(const RobustRule& rule);       // Krum and its kin, the geometric median

// kBadInput, with the number that is needed, where the rule means nothing over so few updates.
Result<void> check_enough(const RobustRule& rule, std::uint32_t updates);

}  // namespace freshet
