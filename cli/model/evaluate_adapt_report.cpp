#include <fmt/core.h>

#include <algorithm>

#include "cli/model/evaluate_adapt.h"

namespace freshet {
namespace {

const WayOutcome* outcome_of(const SeedOutcomes& seed, const std::string& name) {
  for (const WayOutcome& outcome : seed.outcomes)
    if (outcome.name == name) return &outcome;
  return nullptr;
}

// Over the seeds that have base and oracle; of one seed, over the windows of its held-out text.
std::optional<Interval> gap_of(const std::vector<SeedOutcomes>& seeds, const std::string& name) {
  std::vector<double> gaps;
  for (const SeedOutcomes& seed : seeds) {
    const WayOutcome *base = outcome_of(seed, "base"), *oracle = outcome_of(seed, "oracle"),
                     *own = outcome_of(seed, name);
    if (base == nullptr || oracle == nullptr || own == nullptr) continue;
    if (seeds.size() == 1) return gap_interval(base->score, own->score, oracle->score, seed.seed);
    gaps.push_back(gap_recovered(base->score, own->score, oracle->score));
  }
  if (gaps.empty()) return std::nullopt;
  return over_seeds(gaps);
}

double mean_of(const std::vector<SeedOutcomes>& seeds, const std::string& name,
               double (*value)(const WayOutcome&)) {
  double sum = 0, count = 0;
  for (const SeedOutcomes& seed : seeds)
    if (const WayOutcome* outcome = outcome_of(seed, name)) {
      sum += value(*outcome);
      count += 1;
    }
  return count > 0 ? sum / count : 0;
}

Json domains_of(const WayOutcome& outcome) {
  Json domains = Json::object();
  for (const DomainScore& domain : outcome.score.domains)
    domains[domain.name] = domain.bits_per_byte;
  return domains;
}

Json to_json(const WayOutcome& outcome, std::uint64_t seed) {
  return {{"seed", seed},
          {"bits_per_byte", outcome.score.bits_per_byte},
          {"domains", domains_of(outcome)},
          {"general_bits_per_byte", outcome.score.general_bits_per_byte},
          {"calibration_error", outcome.score.calibration_error},
          {"bytes_up", outcome.bytes_up},
          {"seconds", outcome.seconds},
          {"notes", outcome.notes}};
}

std::string_view name_of(Standing standing) {
  switch (standing) {
    case Standing::kReference: return "reference";
    case Standing::kControl: return "control";
    case Standing::kWay: break;
  }
  return "way";
}

}  // namespace

Json adapt_json(const std::vector<SeedOutcomes>& seeds) {
  Json ways = Json::array(), runs = Json::object();
  for (const WayOutcome& first : seeds.front().outcomes) {
    Json way = {{"name", first.name}, {"standing", name_of(first.standing)}};
    if (const auto gap = gap_of(seeds, first.name))
      way["gap_recovered"] = {{"value", gap->value}, {"low", gap->low}, {"high", gap->high}};
    Json each = Json::array();
    for (const SeedOutcomes& seed : seeds)
      if (const WayOutcome* outcome = outcome_of(seed, first.name))
        each.push_back(to_json(*outcome, seed.seed));
    way["seeds"] = std::move(each);
    ways.push_back(std::move(way));
  }
  for (const SeedOutcomes& seed : seeds) runs[std::to_string(seed.seed)] = seed.longest_private_run;
  return {{"ways", std::move(ways)}, {"longest_private_run_written", std::move(runs)}};
}

std::string adapt_table(const std::vector<SeedOutcomes>& seeds) {
  std::string text = fmt::format("{:<18} {:>9} {:>22} {:>9} {:>7} {:>10} {:>8}\n", "", "bits/byte",
                                 "gap recovered", "general", "ECE", "bytes up", "seconds");
  const double general = mean_of(
      seeds, "base", [](const WayOutcome& outcome) { return outcome.score.general_bits_per_byte; });
  for (const WayOutcome& first : seeds.front().outcomes) {
    const std::string& name = first.name;
    const auto gap = gap_of(seeds, name);
    const double own = mean_of(
        seeds, name, [](const WayOutcome& outcome) { return outcome.score.general_bits_per_byte; });
    const bool large = !name.starts_with("slm") && name != "back";
    text += fmt::format(
        "{:<18} {:>9.4f} {:>22} {:>9} {:>7.3f} {:>10.0f} {:>8.0f}\n", name,
        mean_of(seeds, name, [](const WayOutcome& outcome) { return outcome.score.bits_per_byte; }),
        gap ? fmt::format("{:.3f} [{:.3f}, {:.3f}]", gap->value, gap->low, gap->high) : "",
        large && general > 0 ? fmt::format("{:+.1f} %", 100 * (own / general - 1)) : "",
        mean_of(seeds, name,
                [](const WayOutcome& outcome) { return outcome.score.calibration_error; }),
        mean_of(seeds, name,
                [](const WayOutcome& outcome) { return static_cast<double>(outcome.bytes_up); }),
        mean_of(seeds, name, [](const WayOutcome& outcome) { return outcome.seconds; }));
  }
  for (const SeedOutcomes& seed : seeds)
    if (seed.longest_private_run > 0)
      text += fmt::format(
          "seed {}: the longest run of private text that the small model wrote has "
          "{} bytes\n",
          seed.seed, seed.longest_private_run);
  return text;
}

}  // namespace freshet
