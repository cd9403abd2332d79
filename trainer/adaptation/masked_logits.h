#pragma once
// What a node says of prompts, in a form whose sum over nodes is all that anybody needs: by row,
// its confidence times its probabilities of the candidates and of the rest. The shape is fixed by
// the prompts and the number of candidates alone, so the vector is clipped, rounded, masked and
// added as adapters are, and the mean of the nodes' distributions, each weighted by its confidence,
// is a quotient of two entries of one sum.

#include "trainer/adaptation/lesson.h"

namespace freshet {

// Entries of what one node sends: rows * (candidates + 1), each in [0, 1], at most 1 in a row.
std::size_t logit_vector_size(const Prompts& prompts, const CandidateSets& candidates);

// How sure a node is of a row, from what its tuned model and its base gave the tokens before and at
// the row's place: the mean gain g of its sequence, nats per token, as min(1, exp(slope * (g -
// full))). A node whose tuning says nothing about a text is nearly silent on it.
struct ConfidencePlan {
  float slope = 8, full = 0.3f;
};
std::vector<float> confidence_of(const Prompts& prompts, const std::vector<float>& tuned_log_probs,
                                 const std::vector<float>& base_log_probs,
                                 const ConfidencePlan& plan);

// The vector. REQUIRES: answers of these candidates; confidence [rows], each in [0, 1].
std::vector<float> logit_vector(const CandidateSets& candidates, const Answers& answers,
                                const std::vector<float>& confidence);

struct MeanReading {
  float silence = 0.02f;  // mean confidence below which nobody has said anything of a row
  float sharpen = 1;      // shares to this power, made to add up again (ERA, arXiv:2008.06180)
};

// The mean of the nodes' vectors as a lesson: shares of each row's sum, closed where the nodes were
// silent. What rounding and noise made negative counts as 0. kBadInput where the mean has another
// size or holds a value that is no number.
Result<Lesson> lesson_of_mean(Prompts prompts, CandidateSets candidates, float temperature,
                              const std::vector<float>& mean, const MeanReading& reading);

}  // namespace freshet
