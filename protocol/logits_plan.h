#pragma once
// A campaign of masked logits: nodes tune their own models, send nothing of them, and answer a
// question (model/question.h) whose digest stands here. The vector of an answer goes the way that
// an update goes: clipped, rounded, masked, added. Part of the plan that nodes agree on.

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace freshet {

struct LogitsPlan {
  bool on = false;
  Digest question{};  // of its bytes
  std::uint32_t rows = 0, candidates = 0;
  float temperature = 1;
  // How sure a node is of a prompt whose tokens its tuning made likelier by g nats on average:
  // min(1, exp(slope * (g - full))).
  float slope = 8, full = 0.3f;
  bool operator==(const LogitsPlan&) const = default;
};

struct CampaignPlan;

// kBadInput, naming the field: out of bounds, or one of the plan that does not go with answers.
Result<void> validate(const LogitsPlan& logits, const CampaignPlan& plan);

// What follows from the shape of the question: one round, no longer vectors than answers can be.
void fit_to_answers(CampaignPlan& plan);

}  // namespace freshet
