#pragma once
// An adapter trained on lessons: of each row the loss is
//   plain * -log p(next) + weight * gate * T^2 * KL(teacher || student at T),
// the KL over the candidates and the rest, with weight going linearly from its first to its last
// value and plain = 1 - weight (FedCoLLM, arXiv:2411.11707; annealed as in SALT, arXiv:2410.18779).

#include "model/language_model.h"
#include "trainer/adaptation/lesson.h"

namespace freshet {

struct LessonShare {
  const Lesson* lesson = nullptr;
  int sequences = 0;  // of every batch
  float weight = 1, weight_end = 1;
  bool plain = true;  // false: nothing but the teacher, whatever the weight
};

struct AdaptationPlan {
  AdapterSpec adapter;
  int steps = 100, warmup = 10;  // steps in which the rate rises; then it falls as a cosine
  float lr = 2e-3f, clip = 1;
  std::uint64_t seed = 0;  // of the order of sequences, and of an adapter that starts fresh
};

using AdaptationStep = std::function<void(int done, int total)>;

// Sequences of a lesson are gone through in an order of the seed's, all of them before one comes
// again. `start` empty: a fresh adapter. kBadInput for a lesson that check_lesson() refuses, for
// shares without a sequence, or a loss or gradient that is no number (says what to lower); the
// student is frozen and stays as it is.
Result<Finetuned> adapt(const Transformer& student, const AdaptationPlan& plan,
                        const std::vector<float>& start, std::span<const LessonShare> shares,
                        const AdaptationStep& step_done = {});

}  // namespace freshet
