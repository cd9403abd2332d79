#pragma once
// What a campaign is: every parameter that its nodes must agree on, by digest. Read from a TOML
// file (protocol/campaign_file.h), announced on the wire, checked by each node against what it can
// do.

#include <cstdint>
#include <string>
#include <vector>

#include "aggregation/method.h"
#include "aggregation/privacy/noise_plan.h"
#include "aggregation/quantize.h"
#include "aggregation/server_rule.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "protocol/logits_plan.h"

namespace freshet {

enum class Mode : std::uint8_t {
  kTrustedCoordinator,  // each update is sealed to the coordinator, which opens it: it must be
                        // trusted
  kMasked,              // the coordinator can open the sum alone (Bonawitz et al. 2017)
};

struct Fraction {
  std::uint32_t part = 1, whole = 3;  // whole > 0, part <= whole
  bool operator==(const Fraction&) const = default;
};
// floor(n * fraction)
std::uint32_t part_of(std::uint32_t n, const Fraction& fraction);

// What a masked round stands up to. Nodes hold it against their own policy.
struct MaskingPlan {
  std::uint32_t honest_min = 4;    // survivors that are honest, at least, if `corrupt` are not
  Fraction corrupt{1, 3};          // of a roster, that may work with the coordinator
  Fraction dropped{1, 4};          // of a roster, that may vanish: decides on a sparse graph
  Fraction newcomers{1, 1};        // of a roster, that may have enrolled lately
  std::int64_t phase_ms = 30'000;  // a phase ends this long after its last progress
  bool operator==(const MaskingPlan&) const = default;
};

struct LocalTraining {
  int steps = 10, batch = 8, window = 128;
  float lr = 5e-3f;
  std::uint64_t seed = 1;
  bool operator==(const LocalTraining&) const = default;
};

struct LoraPlan {
  int rank = 8;
  float alpha = 16;
  std::vector<std::string> targets;  // empty: all seven linear layers
  std::uint64_t seed = 1;            // of the frozen or initial A
  bool operator==(const LoraPlan&) const = default;
};

// The grid's range where a plan gives none: clip / 16. An update whose norm is the clip has entries
// of about clip / sqrt(n), so a range of the whole clip would waste the grid: at 16 bits its step
// would be 3e-5 of the clip, coarse beside deltas of 1e-4 of it. At a sixteenth the step is 2e-6 of
// the clip, and only an update with its weight in fewer than 256 entries can be clamped.
inline float default_range(double clip) { return static_cast<float>(clip / 16); }

// [examples]: DP-SGD on every node (Abadi et al. 2016), whose noise is in all that leaves it. What
// it costs depends on how much text a node has: each counts it in a ledger of its own.
struct ExamplesPlan {
  static constexpr double kNoiseMax = 64;  // above it nothing is learned
  double noise_multiplier = 0;             // of the noise in a step, over the clip; 0: none of this
  float clip = 1;                          // L2 of one example's gradient
  bool on() const { return noise_multiplier > 0; }
  bool operator==(const ExamplesPlan&) const = default;
};

struct CampaignPlan {
  std::string name;
  Mode mode = Mode::kTrustedCoordinator;
  Method method = Method::kRolora;
  ServerRule rule = Sgd{};
  std::uint32_t rounds = 20;
  std::uint32_t cohort_min = 2,
                cohort_max = 64;    // nodes ready before a round may start; invited at most
  std::uint32_t survivors_min = 2;  // fewer sealed updates than this: the round is aborted
  std::int64_t ready_ms =
      600'000;  // wait for more ready nodes, after cohort_min are, at most this long
  std::int64_t round_ms =
      60'000;  // a round ends this long after its invitation; masked: one phase of it
  LoraPlan lora;
  LocalTraining training;
  double clip = 10;                       // L2 of one update
  Grid grid{.range = default_range(10)};  // range, bits, weight cap
  Digest model{};  // model_digest() of the base model that all nodes must hold; where `logits` is
                   // on, tokenizer_digest(): each has a model of its own
  MaskingPlan masking = {};
  PrivacyPlan privacy = {};
  ExamplesPlan examples = {};
  bool evaluation = false;  // masked sums carry totals of the nodes' held-out text too
  LogitsPlan logits = {};
  bool operator==(const CampaignPlan&) const = default;
};

std::string_view name_of(Mode mode);  // "trusted-coordinator", "masked"
Result<Mode> mode_named(std::string_view name);

// kBadInput, naming the first field that is out of bounds and its bounds.
Result<void> validate(const CampaignPlan& plan);

// t: sharers, survivors and signatures that a masked round of n takes, and on a complete graph the
// shares that rebuild a secret: 2 n / 3 + 1, or more where more may be corrupt. Two lists of
// survivors cannot both gather it: 2 t > n + corrupt.
std::uint32_t quorum_of(std::uint32_t n, const Fraction& corrupt);
// Survivors of a roster of n without whom nothing is opened: quorum, the plan's least, and enough
// honest ones.
std::uint32_t survivors_needed(const CampaignPlan& plan, std::uint32_t n);

// The name of a plan: equal plans and no others have equal digests. Over canonical bytes, in which
// what stands in `logits` is left out where that is off
// (docs/protocol.md).
Digest plan_digest(const CampaignPlan& plan);

}  // namespace freshet
