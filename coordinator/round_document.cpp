#include "coordinator/round_document.h"

#include "aggregation/evaluation.h"
#include "aggregation/mask.h"
#include "aggregation/pack.h"
#include "aggregation/privacy/calibration.h"
#include "crypto/secret.h"
#include "protocol/secagg_messages.h"

namespace freshet {

Bytes to_bytes(const RoundDocument& document) {
  Bytes bytes = canonical_bytes(document.descriptor);
  bytes.insert(bytes.end(), document.opening.begin(), document.opening.end());
  return bytes;
}

Result<RoundDocument> round_document_from(ByteView bytes) {
  RoundDocument document;
  const std::size_t opening = document.opening.size();
  if (bytes.size() < opening) return fail(Code::kCorrupt, "a round's descriptor is too short");
  auto descriptor = read_descriptor(bytes.first(bytes.size() - opening));
  if (!descriptor) return fail(Code::kCorrupt, "of an open round: " + descriptor.error().what);
  document.descriptor = *descriptor;
  std::copy(bytes.end() - static_cast<std::ptrdiff_t>(opening), bytes.end(),
            document.opening.begin());
  return document;
}

Result<RoundDocument> describe_round(const CampaignPlan& plan, const RoundFacts& facts) {
  RoundDocument document;
  random_bytes(document.opening);
  Descriptor& d = document.descriptor;
  d.campaign = facts.campaign;
  d.plan = plan_digest(plan);
  d.round = facts.round;
  d.base = facts.base;
  d.supplied = supplied_digest(plan.model, facts.adapter, facts.base);
  d.layout = facts.layout;
  d.clip = facts.clip;
  d.grid = plan.grid;
  d.cohort_max = plan.cohort_max;
  d.survivors_min = plan.survivors_min;
  d.honest_min = plan.masking.honest_min;
  d.corrupt = plan.masking.corrupt;
  d.dropped = plan.masking.dropped;
  d.newcomers = plan.masking.newcomers;
  d.phase_ms = plan.masking.phase_ms;
  d.trust = facts.trust;
  d.beacon = beacon_commitment(document.opening);
  d.extras = plan.evaluation ? evaluation_words(d.grid) : 0;
  double sigma = 0;
  if (plan.privacy.on) {
    d.noise = noise_plan_of(plan.privacy, plan.rounds);
    TRY_ASSIGN(const Noise noise, noise_of(d.noise, d.clip, d.grid, facts.entries));
    sigma = noise.sigma_of_sum(d.cohort_max);
  }
  TRY_ASSIGN(const int bits, word_bits(d.grid, d.cohort_max, sigma));
  d.word_bits = static_cast<std::uint32_t>(bits);
  return document;
}

std::size_t masked_word_count(const Descriptor& descriptor, std::size_t entries) {
  return words_of(descriptor.noise, entries) + descriptor.extras;
}

std::size_t masked_frame_bytes(const Descriptor& descriptor, std::size_t entries) {
  return kFrameSignatureBytes + packed_bytes(masked_word_count(descriptor, entries),
                                             static_cast<int>(descriptor.word_bits));
}

}  // namespace freshet
