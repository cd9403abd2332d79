#pragma once
// Which token comes next, from the logits. The same seed and logits draw the same tokens.

#include <span>
#include <vector>

#include "base/rng.h"
#include "trainer/generate.h"

namespace freshet {

struct Candidate {
  TokenId id;
  float weight;  // its probability, times the same factor for all
};

class Sampler {
 public:
  Sampler(const GeneratePlan& plan, int vocab);

  void see(TokenId id);  // came before, in the prompt or after: the repetition penalty counts it

  // -1 where no logit is a number above minus infinity.
  TokenId choose(std::span<const float> logits);

  // What choose() draws from, in no order. REQUIRES: some logit is a number.
  std::vector<Candidate> candidates(std::span<const float> logits) const;

 private:
  float penalised(std::span<const float> logits, std::size_t id) const;

  float temperature_, top_p_, penalty_;
  std::size_t top_k_;
  bool greedy_;
  Rng rng_;
  std::vector<std::uint8_t> seen_;  // by id
};

}  // namespace freshet
