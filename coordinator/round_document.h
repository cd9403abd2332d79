#pragma once
// What a masked round is about, as the coordinator writes it down before it invites anybody: the
// descriptor, and what opens the beacon that it commits to.

#include "protocol/descriptor.h"

namespace freshet {

struct RoundDocument {
  Descriptor descriptor;
  Digest opening{};
  bool operator==(const RoundDocument&) const = default;
};
Bytes to_bytes(const RoundDocument& document);
Result<RoundDocument> round_document_from(ByteView bytes);  // kCorrupt

struct RoundFacts {
  CampaignId campaign;
  RoundId round;
  VersionId base;
  Digest adapter{};         // of the base
  Digest layout{};          // of the phase
  std::size_t entries = 0;  // of the phase
  double clip = 0;
  TrustSerial trust;
};
// With a fresh beacon. kBadInput where the plan's noise or grid does not fit this layout.
Result<RoundDocument> describe_round(const CampaignPlan& plan, const RoundFacts& facts);

// Words of the vector that such a round adds up, with the weight and whatever goes before it.
std::size_t masked_word_count(const Descriptor& descriptor, std::size_t entries);
std::size_t masked_frame_bytes(const Descriptor& descriptor, std::size_t entries);

}  // namespace freshet
