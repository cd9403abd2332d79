#pragma once
// What whatever gives logits is worth on private text that was held out: by domain, with the
// calibration of its certainty and what it forgot; and how much of the gap to an oracle that saw
// all private text was closed.

#include "simulations/adapt/pair.h"
#include "trainer/adaptation/measure.h"

namespace freshet {

struct DomainScore {
  std::string name;
  double bits_per_byte = 0;
  std::vector<double> window_bits;  // bits per byte of each window, by the domain's bytes a window
};

struct Score {
  std::vector<DomainScore> domains;
  double bits_per_byte = 0;          // mean over domains
  double general_bits_per_byte = 0;  // on held-out general text
  double calibration_error = 0;      // on the private text
};

struct ScorePlan {
  int window = 128;
  std::size_t windows_max = 64;  // of a domain, and eight times that of the general text; 0: all
};
Result<Score> score(LogitSource& source, const AdaptPair& pair, const ScorePlan& plan);

// (base - adapted) / (base - direct) in bits per byte.
double gap_recovered(const Score& base, const Score& adapted, const Score& direct);

struct Interval {
  double value = 0, low = 0, high = 0;
};

// 95 %: windows are drawn again within each domain, the same ones for all three (a paired
// bootstrap), so this is about the held-out text alone.
Interval gap_interval(const Score& base, const Score& adapted, const Score& direct,
                      std::uint64_t seed);

// 95 % over seeds, by Student's t. One value has no interval: low = high = value.
Interval over_seeds(const std::vector<double>& values);

// What the loss of an adapted model, less that of its base, tells of whether a window of text was
// trained on: the area under the curve of its best threshold, 0.5 for nothing; and how many members
// are found where one stranger in a hundred is taken for one.
struct MembershipAttack {
  double area = 0.5, found_at_one_percent = 0;
};
Result<MembershipAttack> attack_membership(LogitSource& base, LogitSource& adapted,
                                           const AdaptPair& pair, const ScorePlan& plan);

}  // namespace freshet
