#pragma once
// What one masked round is about, in one document that the coordinator signs before it knows who
// takes part. Its digest, the sid, is bound into every key, signature and box of the round: a
// coordinator that says different things to different nodes gets noise.

#include "aggregation/graph.h"
#include "crypto/certificates/trust.h"
#include "protocol/plan.h"

namespace freshet {

struct Descriptor {
  std::uint32_t version = 3;  // how sparse graphs are planned
  CampaignId campaign;
  Digest plan{};      // plan_digest()
  RoundId round;      // rises with every attempt of the campaign, so that no two have one sid
  VersionId base;     // contributions from this version
  Digest supplied{};  // supplied_digest() of what the nodes must have loaded
  Digest layout{};    // of the phase, as in Announce
  double clip = 0;    // L2 of one update
  Grid grid;
  std::uint32_t word_bits = 32;  // of one masked word
  std::uint32_t cohort_max = 0;
  std::uint32_t survivors_min = 1;  // of the plan; what follows from the roster comes on top
  std::uint32_t honest_min = 4;     // survivors that are honest, at least, if `corrupt` are not
  Fraction corrupt{1, 3};           // of the roster, that may work with the coordinator
  Fraction dropped{1, 4};           // of the roster, that may vanish: decides on a sparse graph
  Fraction newcomers{1, 1};         // of the roster, that may have enrolled lately
  std::int64_t phase_ms = 30'000;   // a phase ends this long after its last progress
  TrustSerial trust;                // of the trust bundle that the roster is checked with
  Digest beacon{};                  // beacon_commitment() of what is opened with the roster
  std::uint32_t extras = 0;         // words before the weight that are summed for evaluation
  NoisePlan noise;
  bool operator==(const Descriptor&) const = default;
};

// Fixed-width, docs/protocol.md. read_descriptor takes only what this makes, within the bounds that
// validate() asks of plans.
Bytes canonical_bytes(const Descriptor& descriptor);
Result<Descriptor> read_descriptor(ByteView bytes);
Digest sid_of(const Descriptor& descriptor);  // digest_of("freshet/descriptor/v1", bytes)

Digest supplied_digest(const Digest& model, const Digest& adapter, VersionId version);
Digest beacon_commitment(const Digest& opening);

// As of the plan that it was made from.
std::uint32_t survivors_needed(const Descriptor& descriptor, std::uint32_t n);
// Who deals shares to and masks with whom; Graph(seed, n, degree) has the neighbours.
Result<GraphPlan> graph_of(const Descriptor& descriptor, std::uint32_t n);

}  // namespace freshet
