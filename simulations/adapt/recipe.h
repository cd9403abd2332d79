#pragma once
// Every number of an experiment that is a choice. None of them was chosen on held-out private text.

#include "protocol/plan.h"
#include "simulations/adapt/direct.h"
#include "simulations/adapt/federation.h"
#include "simulations/adapt/score.h"
#include "trainer/adaptation/adapt.h"
#include "trainer/adaptation/context_mixture.h"

namespace freshet {

struct AdaptRecipe {
  std::uint64_t seed = 1;
  int window = 128;
  int threads = 2;        // nodes that train at a time
  CampaignPlan campaign;  // of the small model
  CampaignPlan of_llm;    // of the large one, for `direct`
  DirectPlan oracle;
  HomePlan home;  // of each node's own model, for `logits`
  AnswerPlan answers;
  AdaptationPlan learning;  // of the large model, in every way
  int batch = 8;            // sequences of a step
  int keeping = 2;          // of them, those in which the large model keeps what it said before
  int candidates = 16;
  float temperature = 1;
  float weight = 1, weight_end = 1;  // of a teacher beside the plain loss on public text
  float alpha = 1;                   // of `proxy-fixed`
  MixturePlan mixture;               // of `proxy`, of teachers, and of `mix` at decoding time
  float back_lr = 2e-3f;             // of the small model that is taught back
  std::int64_t public_sequences = 512, written_sequences = 1536, own_sequences = 256;
  int asking_rounds = 3;               // of `logits`: in each the large model writes what is asked
  std::int64_t asked_sequences = 384;  // in a round
  ScorePlan score;
};

// What `freshet evaluate adapt` runs unless flags say otherwise.
AdaptRecipe default_recipe(std::uint64_t seed);

}  // namespace freshet
