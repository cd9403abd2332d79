#pragma once
// What was spent of a privacy budget: by a campaign's coordinator, before a sum is opened; by a
// node over all its campaigns, before the first byte of its contribution leaves; of a text's
// examples, before a training on them. Pure: charges in, figures out; who holds a ledger makes each
// record durable before the act that it stands for.

#include <map>
#include <string_view>
#include <vector>

#include "aggregation/privacy/noise_plan.h"
#include "aggregation/privacy/rdp.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace freshet {

// Kinds of the files that hold a ledger (storage/record_file.h).
inline constexpr std::string_view kCampaignLedger = "campaign-privacy";
inline constexpr std::string_view kLifetimeLedger = "lifetime-privacy";
inline constexpr std::string_view kExampleLedger = "example-privacy";

struct Budget {
  double epsilon = 0, delta = 0;
  bool operator==(const Budget&) const = default;
};

// One opened sum, or one contribution to a sum that may be opened; or a whole training, with noise
// in each of its steps.
struct Charge {
  Digest sid{};  // of a training: all that it depends on
  CampaignId campaign;
  RoundId round;
  double multiplier = 0;           // sigma of the honest noise over the sensitivity
  double sampling_rate = 1;        // 1 on a node, which knows that it takes part
  double slack = 0;                // what the sum is off a discrete Gaussian, in Renyi divergence
  double sensitivity = 0;          // L2, in steps of the grid
  std::uint64_t variance_256 = 0;  // of one node's noise in one word, in 256ths of a squared step
  std::uint32_t honest_min = 0, survivors = 0;  // 0 survivors: not known yet
  std::uint64_t entries = 0;
  std::uint64_t times = 1;  // steps of a training
  bool operator==(const Charge&) const = default;
};

// Of a round, whose ids and survivors are the caller's to fill in.
Charge charge_of(const NoisePlan& plan, const Noise& noise, std::size_t entries);

struct Spent {
  double epsilon = 0;  // with amplification by sampling, where a rate below 1 is claimed
  double epsilon_unamplified = 0;  // against whoever knows who took part, such as the coordinator
  double delta = 0;
};

class Ledger {
 public:
  // A campaign's ledger counts with amplification, a node's without. One of examples counts with
  // it: who draws them tells nobody.
  enum class Owner { kCampaign, kNode, kExamples };
  explicit Ledger(Owner owner) : owner_(owner) {}

  // The record to make durable before the charge counts and what it is for happens; empty where the
  // same charge was made before, which is free. kRefused, with both figures, where it would pass
  // the budget; kBadInput where another charge of this sid was made. REQUIRES: times is 1 but in a
  // ledger of examples.
  Result<Bytes> admit(const Charge& charge) const;
  Bytes record_of(const Budget& budget) const;  // empty where that is the budget already
  // Of a record that is durable. kCorrupt where its bytes are none of ours.
  Result<void> take(ByteView record);

  const Budget& budget() const { return budget_; }
  const std::vector<Charge>& charges() const { return charges_; }
  Spent spent() const;  // by Renyi accounting, at the budget's delta
  std::vector<Release> releases(bool amplified) const;

  Owner owner() const { return owner_; }

 private:
  bool amplified() const { return owner_ != Owner::kNode; }

  Owner owner_;
  Budget budget_;
  std::vector<Charge> charges_;
  std::map<Digest, std::size_t> by_sid_;
};

}  // namespace freshet
