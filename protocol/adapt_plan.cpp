#include "protocol/adapt_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/lesson_limits.h"
#include "base/limits.h"
#include "protocol/bounds.h"

namespace freshet {
namespace {

constexpr std::array<std::pair<std::string_view, Way>, 5> kWays{{{"distill", Way::kDistill},
                                                                 {"generate", Way::kGenerate},
                                                                 {"proxy", Way::kProxy},
                                                                 {"logits", Way::kLogits},
                                                                 {"direct", Way::kDirect}}};
constexpr std::array<std::string_view, 3> kPlanned = {"visible-logits", "mutual", "back"};

Result<void> check_ways(const AdaptPlan& adapt) {
  if (adapt.ways.empty())
    return fail(Code::kBadInput,
                "[adapt] ways is empty: name one, or leave [adapt] out where nothing is to learn");
  for (auto way = adapt.ways.begin(); way != adapt.ways.end(); ++way)
    if (std::find(adapt.ways.begin(), way, *way) != way)
      return fail(Code::kBadInput, fmt::format("[adapt] ways has \"{}\" twice", name_of(*way)));
  if (has(adapt, Way::kDirect) && adapt.ways.size() > 1)
    return fail(Code::kBadInput,
                "[adapt] ways has \"direct\", where the federated adapter is the LLM's own: no "
                "other way goes with it");
  if (has(adapt, Way::kLogits) && adapt.ways.size() > 1)
    return fail(Code::kBadInput,
                "[adapt] ways has \"logits\", where nodes send nothing of their models for another "
                "way to work with: give the others a campaign of their own");
  return {};
}

}  // namespace

std::string_view name_of(Way way) {
  for (const auto& [name, each] : kWays)
    if (each == way) return name;
  CHECK(false, "way {}", static_cast<int>(way));
}

Result<Way> way_named(std::string_view name) {
  for (const auto& [each, way] : kWays)
    if (each == name) return way;
  if (std::find(kPlanned.begin(), kPlanned.end(), name) != kPlanned.end())
    return fail(Code::kBadInput,
                fmt::format("way \"{}\" cannot be part of a campaign yet: use distill, generate, "
                            "proxy, logits or direct",
                            name));
  return fail(
      Code::kBadInput,
      fmt::format("unknown way \"{}\": use distill, generate, proxy, logits or direct", name));
}

bool has(const AdaptPlan& adapt, Way way) {
  return std::find(adapt.ways.begin(), adapt.ways.end(), way) != adapt.ways.end();
}

bool trains(const AdaptPlan& adapt) {
  return has(adapt, Way::kDistill) || has(adapt, Way::kGenerate) || has(adapt, Way::kLogits);
}

Result<void> validate(const AdaptPlan& adapt) {
  TRY(check_ways(adapt));
  TRY(within("[adapt] rank", adapt.rank, 1, limits::kAdapterRankMax));
  TRY(above_zero("[adapt] alpha", adapt.alpha));
  TRY(within("[adapt] steps", adapt.steps, 1, limits::kTrainingStepsMax));
  TRY(within("[adapt] batch", adapt.batch, 1, limits::kTrainingBatchMax));
  TRY(within("[adapt] window", adapt.window, 2, limits::kTrainingWindowMax));
  TRY(within("[adapt] top_k", adapt.top_k, 1, limits::kDistillationTopKMax));
  TRY(above_zero("[adapt] lr", adapt.lr));
  TRY(above_zero("[adapt] temperature", adapt.temperature));
  TRY(within("[adapt] weight", adapt.weight, 0.0f, 1.0f));
  TRY(within("[adapt] weight_end", adapt.weight_end, 0.0f, 1.0f));
  TRY(within("[adapt] keeping", adapt.keeping, 0, adapt.batch - 1));
  TRY(within("[adapt] public_sequences", adapt.public_sequences, 0, limits::kLessonSequencesMax));
  TRY(within("[adapt] written_sequences", adapt.written_sequences, 1, limits::kLessonSequencesMax));
  TRY(within("[adapt] own_sequences", adapt.own_sequences, 1, limits::kLessonSequencesMax));
  TRY(within("[adapt] proxy_weight", adapt.proxy_weight, 0.0f, 4.0f));
  TRY(within("[adapt] silence", adapt.silence, 0.0f, 1.0f));
  TRY(above_zero("[adapt] sharpen", adapt.sharpen));
  return seed_within("[adapt] seed", adapt.seed);
}

}  // namespace freshet
