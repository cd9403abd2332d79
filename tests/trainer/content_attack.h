#pragma once
// What somebody who sees an update, a sum, or a noisy sum can say about the text that nodes trained
// on: the committed small model, real training on the processor, the real rounding and noise.

#include <set>
#include <vector>

#include "aggregation/updates.h"
#include "model/text/token_stream.h"
#include "trainer/model_folder.h"
#include "trainer/training/train_plan.h"

namespace freshet {

LoadedModel committed_model();  // models/edge-slm, in f32

// Sentences of English prose as token ids; the same seed, the same text.
std::vector<TokenId> some_prose(const Tokenizer& tokenizer, std::size_t tokens, std::uint64_t seed);

// What a node learned from `text`, clipped, in the order of the phase that the plan trains.
ClippedUpdate learned_from(const Transformer& model, const TrainPlan& plan, const TokenStream& text,
                           double norm_max);

// The mean of updates as the coordinator opens it: rounded to 16 bits, and with `multiplier` above
// 0 with the noise of client-level differential privacy, every node adding its share.
struct Opening {
  double clip = 1;
  double multiplier = 0;
  std::uint64_t seed = 0;
};
std::vector<float> opened_mean(const std::vector<ClippedUpdate>& updates, const Opening& opening);

// A whole adapter: the initial one with a phase's values added.
std::vector<float> adapter_with(const Transformer& model, const TrainPlan& plan,
                                const std::vector<float>& mean);

// How far every token of the vocabulary is from having been in the batch, by what B of the first
// layer's v_proj moved in: the gradient of B is a sum of products with A x of every token's input
// x, and x of the first layer is the token's embedding alone (span check: Petrov et al. 2024,
// arXiv:2405.15586). Low: likely. `noise` is the variance of an entry that the attacker knows of.
std::vector<double> span_scores(const LoadedModel& model, const TrainPlan& plan,
                                const std::vector<float>& mean, double noise);

// Share of `truth` among as many tokens with the lowest scores: ROUGE-1, precision and recall being
// one here.
double found_share(const std::vector<double>& scores, const std::set<TokenId>& truth);

}  // namespace freshet
