#include "coordinator/campaign_cost.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <vector>

#include "aggregation/pack.h"
#include "aggregation/privacy/calibration.h"
#include "aggregation/privacy/rdp.h"
#include "base/json.h"
#include "coordinator/round_document.h"

namespace freshet {
namespace {

constexpr std::array<std::uint64_t, 2> kTurns{0, 1};  // methods alternate between two layouts
constexpr std::uint64_t kSealedBytes = 48;            // around an update sealed to the coordinator

std::string bytes_said(double bytes) {
  if (bytes < 1e4) return fmt::format("{:.0f} bytes", bytes);
  if (bytes < 1e6) return fmt::format("{:.1f} kB", bytes / 1e3);
  if (bytes < 1e9) return fmt::format("{:.1f} MB", bytes / 1e6);
  return fmt::format("{:.1f} GB", bytes / 1e9);
}

Result<void> add_vector(const CampaignPlan& plan, std::size_t entries, CampaignCost& cost) {
  double bytes = 0;
  if (plan.mode == Mode::kMasked) {
    RoundFacts facts;
    facts.entries = entries;
    facts.clip = plan.clip;
    TRY_ASSIGN(const RoundDocument round, describe_round(plan, facts));
    bytes = static_cast<double>(masked_frame_bytes(round.descriptor, entries));
    cost.word_bits = static_cast<int>(round.descriptor.word_bits);
  } else {
    TRY_ASSIGN(cost.word_bits, sum_bits(plan.grid, 1));
    bytes = static_cast<double>(packed_bytes(entries, cost.word_bits) + kSealedBytes);
  }
  cost.bytes_up += bytes / kTurns.size();
  cost.entries_up += static_cast<double>(entries) / kTurns.size();
  return {};
}

// validate() has seen to it that the smallest cohort can end a round.
void add_members(const CampaignPlan& plan, CampaignCost& cost) {
  const bool masked = plan.mode == Mode::kMasked;
  cost.members_min = masked ? plan.cohort_min : std::max(plan.cohort_min, plan.survivors_min);
  cost.survivors_min = masked ? survivors_needed(plan, plan.cohort_min) : plan.survivors_min;
}

// Values by "[section] key", as to_toml() writes them.
std::map<std::string, std::string> values_of(const CampaignFile& file) {
  std::map<std::string, std::string> values;
  const std::string toml = to_toml(file);
  std::string_view rest = toml, section;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t equals = line.find(" = ");
    if (line.starts_with('[')) {
      section = line;
    } else if (!line.starts_with('#') && equals != std::string_view::npos) {
      values[fmt::format("{} {}", section, line.substr(0, equals))] = line.substr(equals + 3);
    }
  }
  return values;
}

}  // namespace

Result<CampaignCost> cost_of(const CampaignPlan& plan, const ModelConfig& config) {
  TRY(validate(plan));
  TRY_ASSIGN(const Layout whole,
             adapter_layout(config, {plan.lora.rank, plan.lora.alpha, plan.lora.targets}));
  CampaignCost cost;
  cost.adapter_entries = whole.size;
  cost.adapter_bytes = whole.size * sizeof(float);
  for (const std::uint64_t turn : kTurns) {
    const Factors factors = factors_of(plan.method, turn);
    TRY(add_vector(plan, phase_layout(whole, factors.a, factors.b, factors.core).size, cost));
  }
  add_members(plan, cost);
  const LocalTraining& training = plan.training;
  cost.tokens = static_cast<std::uint64_t>(training.steps) *
                static_cast<std::uint64_t>(training.batch) *
                static_cast<std::uint64_t>(training.window);
  if (!plan.privacy.on) return cost;
  cost.noise_multiplier = noise_plan_of(plan.privacy, plan.rounds).multiplier;
  const Release all[] = {{cost.noise_multiplier, plan.privacy.sampling_rate, plan.rounds}};
  cost.epsilon = renyi_epsilon(all, plan.privacy.delta);
  return cost;
}

std::string to_text(const CampaignCost& cost, const CampaignPlan& plan) {
  const double rounds = plan.rounds;
  const auto down = static_cast<double>(cost.adapter_bytes);
  std::string text = fmt::format(
      "campaign \"{}\": {} rounds of {}, mode {}\n"
      "the adapter           {} entries, {}\n"
      "a node, each round    sends {} ({:.0f} entries in words of {} bits{}), fetches {},\n"
      "                      trains on {} tokens\n"
      "a node, all rounds    sends {}, fetches {}, trains on {} tokens\n"
      "the coordinator       takes {} and gives {} in a round of {}\n"
      "the smallest round    {} nodes, of whom {} answer\n",
      plan.name, plan.rounds, name_of(plan.method), name_of(plan.mode), cost.adapter_entries,
      bytes_said(down), bytes_said(cost.bytes_up), cost.entries_up, cost.word_bits,
      plan.mode == Mode::kMasked ? "; keys and shares besides" : "", bytes_said(down), cost.tokens,
      bytes_said(rounds * cost.bytes_up), bytes_said(rounds * down), plan.rounds * cost.tokens,
      bytes_said(plan.cohort_max * cost.bytes_up), bytes_said(plan.cohort_max * down),
      plan.cohort_max, cost.members_min, cost.survivors_min);
  if (!cost.epsilon)
    return text +
           "privacy               no noise: nodes whose policy has an epsilon_max refuse it\n";
  return text + fmt::format(
                    "privacy               noise of {:.3f} of the clip in each sum: epsilon {:.2f} "
                    "of {} at "
                    "delta {}{}\n",
                    cost.noise_multiplier, *cost.epsilon, plan.privacy.epsilon, plan.privacy.delta,
                    *cost.epsilon > plan.privacy.epsilon * (1 + 1e-6)
                        ? ";\n                      it ends before the last round"
                        : "");
}

Json to_json(const CampaignCost& cost, const CampaignPlan& plan) {
  return {{"name", plan.name},
          {"rounds", plan.rounds},
          {"adapter_entries", cost.adapter_entries},
          {"adapter_bytes", cost.adapter_bytes},
          {"entries_up", cost.entries_up},
          {"bytes_up", cost.bytes_up},
          {"word_bits", cost.word_bits},
          {"tokens", cost.tokens},
          {"members_min", cost.members_min},
          {"survivors_min", cost.survivors_min},
          {"noise_multiplier", cost.noise_multiplier},
          {"epsilon", cost.epsilon ? Json(*cost.epsilon) : Json(nullptr)}};
}

std::string differences(const CampaignFile& before, const CampaignFile& after) {
  const auto old = values_of(before), now = values_of(after);
  std::string text;
  for (const auto& [key, value] : old) {
    const auto found = now.find(key);
    if (found == now.end()) text += fmt::format("{}: {} -> (none)\n", key, value);
    if (found != now.end() && found->second != value)
      text += fmt::format("{}: {} -> {}\n", key, value, found->second);
  }
  for (const auto& [key, value] : now)
    if (!old.contains(key)) text += fmt::format("{}: (none) -> {}\n", key, value);
  return text;
}

}  // namespace freshet
