#include "aggregation/robust/rule.h"

#include <fmt/core.h>

#include <array>
#include <cmath>

namespace freshet {
namespace {

constexpr std::array<std::string_view, 7> kNames = {
    "mean", "median", "trimmed-mean", "krum", "multi-krum", "bulyan", "geometric-median"};

// The fewest updates over which a rule stands what it says it stands.
std::uint64_t updates_min(const Mean&) { return 1; }
std::uint64_t updates_min(const Median&) { return 1; }
std::uint64_t updates_min(const TrimmedMean& rule) { return 2 * std::uint64_t{rule.trim} + 1; }
std::uint64_t updates_min(const Krum& rule) { return 2 * std::uint64_t{rule.byzantine} + 3; }
std::uint64_t updates_min(const MultiKrum& rule) {
  return std::max(2 * std::uint64_t{rule.byzantine} + 3,
                  std::uint64_t{rule.byzantine} + 2 + rule.keep);
}
std::uint64_t updates_min(const Bulyan& rule) { return 4 * std::uint64_t{rule.byzantine} + 3; }
std::uint64_t updates_min(const GeometricMedian&) { return 1; }

}  // namespace

std::string_view name_of(const RobustRule& rule) { return kNames.at(rule.index()); }

Result<RobustRule> robust_rule_named(std::string_view name) {
  if (name == "mean") return Mean{};
  if (name == "median") return Median{};
  if (name == "trimmed-mean") return TrimmedMean{};
  if (name == "krum") return Krum{};
  if (name == "multi-krum") return MultiKrum{};
  if (name == "bulyan") return Bulyan{};
  if (name == "geometric-median") return GeometricMedian{};
  return fail(Code::kBadInput,
              fmt::format("unknown robust rule \"{}\": use mean, median, trimmed-mean, krum, "
                          "multi-krum, bulyan or geometric-median",
                          name));
}

bool needs_single_updates(const RobustRule& rule) { return !std::holds_alternative<Mean>(rule); }

bool needs_distances(const RobustRule& rule) {
  return std::holds_alternative<Krum>(rule) || std::holds_alternative<MultiKrum>(rule) ||
         std::holds_alternative<Bulyan>(rule) || std::holds_alternative<GeometricMedian>(rule);
}

Result<void> check_enough(const RobustRule& rule, std::uint32_t updates) {
  if (const auto* multi = std::get_if<MultiKrum>(&rule); multi != nullptr && multi->keep == 0)
    return fail(Code::kBadInput, "multi-krum keeps no update: keep must be at least 1");
  const std::uint64_t least =
      std::visit([](const auto& chosen) { return updates_min(chosen); }, rule);
  if (updates >= least) return {};
  return fail(Code::kBadInput, fmt::format("{} over {} updates: with these numbers it needs at "
                                           "least {}",
                                           name_of(rule), updates, least));
}

}  // namespace freshet
