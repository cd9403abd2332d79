#include "coordinator/traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "coordinator/round_document.h"
#include "coordinator/summing.h"
#include "model/question.h"
#include "protocol/sealed_update.h"

namespace freshet {
namespace {

constexpr std::uint64_t kQuestionHeadBytes = 35;  // canonical_bytes() of a Question, before its ids

Result<std::uint64_t> vector_bytes(const CampaignPlan& plan, std::size_t entries) {
  if (plan.mode == Mode::kTrustedCoordinator) return sealed_update_bytes(plan.grid, entries);
  RoundFacts facts;
  facts.entries = entries;
  facts.clip = plan.clip;
  TRY_ASSIGN(const RoundDocument document, describe_round(plan, facts));
  return std::uint64_t{masked_frame_bytes(document.descriptor, entries)};
}

struct Adapters {
  std::uint64_t up = 0, down = 0;
  std::size_t entries = 0;  // of the largest vector
};

// Methods alternate between two phases at most. The first version needs no fetching.
Result<Adapters> adapters_of(const CampaignPlan& plan, const ModelConfig& config) {
  const LoraPlan& lora = plan.lora;
  TRY_ASSIGN(const Layout whole, adapter_layout(config, {lora.rank, lora.alpha, lora.targets}));
  Adapters made;
  for (std::uint64_t phase = 0; phase < 2; ++phase) {
    const std::uint64_t rounds = (plan.rounds + 1 - phase) / 2;
    const std::size_t entries = round_shape(plan, whole, {phase}).phase.size;
    TRY_ASSIGN(const std::uint64_t bytes, vector_bytes(plan, entries));
    made.up += rounds * bytes;
    made.entries = std::max(made.entries, entries);
  }
  made.down = plan.rounds * whole.size * sizeof(float);
  return made;
}

// A campaign of logits beside this one: its own plan, or what it would be at the same bits.
CampaignPlan asking(const CampaignPlan& plan, std::uint32_t rows, std::uint32_t candidates) {
  CampaignPlan made = plan;
  made.mode = Mode::kMasked;
  made.logits.on = true;
  made.logits.rows = rows;
  made.logits.candidates = candidates;
  fit_to_answers(made);
  return made;
}

Result<WayTraffic> logits_of(const CampaignPlan& plan, std::uint64_t rows,
                             std::uint32_t candidates) {
  WayTraffic logits{"logits", 0, 0};
  const auto entries = static_cast<std::size_t>(rows * (candidates + 1));
  TRY_ASSIGN(logits.up, vector_bytes(plan, entries));
  logits.down = kQuestionHeadBytes + rows * (2 + candidates) * sizeof(std::uint32_t);
  return logits;
}

}  // namespace

Result<Traffic> traffic_of(const CampaignFile& file, const ModelConfig& slm,
                           const ModelConfig* llm) {
  Traffic traffic;
  CampaignPlan plan = file.plan;
  plan.logits.on = false;     // for the ways that send adapters
  if (file.plan.logits.on) {  // which would go on as long as they do where nothing is said
    plan.rounds = CampaignPlan{}.rounds;
    plan.clip = CampaignPlan{}.clip;
    plan.grid.range = default_range(plan.clip);
  }
  traffic.rounds = plan.rounds;
  TRY_ASSIGN(const Adapters of_slm, adapters_of(plan, slm));
  traffic.entries = of_slm.entries;
  for (const char* way : {"distill", "generate", "proxy"})
    traffic.ways.push_back({way, of_slm.up, of_slm.down});
  if (llm != nullptr) {
    TRY_ASSIGN(const Adapters of_llm, adapters_of(plan, *llm));
    traffic.ways.push_back({"direct", of_llm.up, of_llm.down});
  }
  traffic.candidates = file.plan.logits.on ? file.plan.logits.candidates
                                           : static_cast<std::uint32_t>(file.adapt.top_k);
  constexpr std::uint32_t kMany = 1 << 16;
  const CampaignPlan asked =
      asking(plan, file.plan.logits.on ? file.plan.logits.rows : kMany, traffic.candidates);
  TRY_ASSIGN(const WayTraffic many, logits_of(asked, kMany, traffic.candidates));
  traffic.bytes_per_token = static_cast<double>(many.up) / kMany;
  traffic.break_even = static_cast<std::uint64_t>(
      std::floor(static_cast<double>(of_slm.up) / traffic.bytes_per_token));
  traffic.asked_tokens = file.plan.logits.on ? file.plan.logits.rows : traffic.break_even;
  TRY_ASSIGN(WayTraffic logits, logits_of(asked, traffic.asked_tokens, traffic.candidates));
  traffic.ways.push_back(std::move(logits));
  return traffic;
}

Json to_json(const Traffic& traffic) {
  Json ways = Json::object();
  for (const WayTraffic& way : traffic.ways)
    ways[way.way] = {{"bytes_up", way.up}, {"bytes_down", way.down}};
  return {{"ways", std::move(ways)},
          {"rounds", traffic.rounds},
          {"vector_entries", traffic.entries},
          {"asked_tokens", traffic.asked_tokens},
          {"candidates", traffic.candidates},
          {"bytes_per_asked_token", traffic.bytes_per_token},
          {"break_even_tokens", traffic.break_even}};
}

std::string to_text(const Traffic& traffic) {
  std::string text =
      fmt::format("{:<10} {:>14} {:>14}   of one node, in bytes\n", "way", "up", "down");
  for (const WayTraffic& way : traffic.ways)
    text +=
        fmt::format("{:<10} {:>14} {:>14}   {}\n", way.way, way.up, way.down,
                    way.way == "logits" ? fmt::format("{} tokens asked once, {} candidates each",
                                                      traffic.asked_tokens, traffic.candidates)
                                        : fmt::format("{} rounds", traffic.rounds));
  return text + fmt::format(
                    "\nAn answer takes {:.1f} bytes a token: asking fewer than {} tokens sends "
                    "less than the adapters do.\n",
                    traffic.bytes_per_token, traffic.break_even);
}

}  // namespace freshet
