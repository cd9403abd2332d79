#pragma once
// Several opinions of what follows, mixed as probabilities, each weighed by how well it foretold
// the sequence so far: a Bayesian average over experts that forgets (fixed share, Herbster and
// Warmuth 1998). A large model and a small one that was tuned each know texts that the other does
// not; which text this is its first tokens say, so no weight has to be chosen on anybody's text.

#include <span>

#include "trainer/adaptation/logit_source.h"

namespace freshet {

// An opinion is a sum of three models' logits. {1, 0, 0}: the large model; {0, 1, 0}: the small one
// as it was tuned; {1, a, -a}: the large one moved by what tuning changed in the small one
// (proxy-tuning, arXiv:2401.08565).
struct Opinion {
  float large = 1, tuned = 0, base = 0;
  bool operator==(const Opinion&) const = default;
};

struct MixturePlan {
  std::vector<Opinion> opinions = {
      {1, 0, 0}, {0, 1, 0}, {0.5f, 0.5f, 0}, {0.5f, 1, -0.5f}, {1, 1, -1}};
  float memory = 0.98f;  // what a token's evidence is worth one token later, to a factor
  float floor = 0.01f;   // share that is dealt out evenly whatever the evidence
};

// The weights along one sequence.
class OpinionWeights {
 public:
  // REQUIRES: plan outlives this; one opinion at least.
  explicit OpinionWeights(const MixturePlan& plan);
  // What each opinion gave to the token that followed, as log probabilities.
  void observe(std::span<const double> log_probs);
  std::span<const double> weights() const { return weights_; }  // of what follows next; sum 1

 private:
  void weigh();
  const MixturePlan* plan_;
  std::vector<double> evidence_, weights_;
};

// One row of mixed log probabilities out of the three models' logits. Scratch for one vocabulary.
class OpinionRow {
 public:
  // REQUIRES: plan outlives this.
  OpinionRow(const MixturePlan& plan, int vocab);
  // Sets what every opinion says of the next token. Any of the three may be the same pointer.
  void read(const float* large, const float* tuned, const float* base);
  double log_prob(std::size_t opinion, int id) const;
  void mix(std::span<const double> weights, float* out) const;

 private:
  const MixturePlan& plan_;
  int vocab_;
  std::vector<float> z_;             // [opinions, vocab]
  std::vector<double> normalizers_;  // by opinion: log of the sum of exp z
};

// kBadInput for a plan without opinions, or values outside their ranges.
Result<void> check_mixture(const MixturePlan& plan);

class ContextMixture final : public LogitSource {
 public:
  // REQUIRES: one vocabulary; check_mixture(plan); all outlive this.
  ContextMixture(LogitSource& large, LogitSource& tuned, LogitSource& base, MixturePlan plan);
  int vocab() const override { return large_.vocab(); }
  int positions() const override;
  void read(const TokenBatch& batch) override;
  void rows(std::int64_t first, std::int64_t count, float* out) override;

 private:
  void read_rows(std::int64_t first, std::int64_t count);
  void say(std::int64_t row);

  LogitSource &large_, &tuned_, &base_;
  MixturePlan plan_;
  OpinionRow row_;
  std::vector<float> z_;         // [3, kLogitRows, vocab]
  std::vector<double> weights_;  // [rows, opinions]
};

}  // namespace freshet
