#pragma once
// What a student learns from: prompts, and what a teacher says of every token that follows one. Of
// each row it says a fixed number of candidates' probabilities; everything else is one bucket, the
// rest (Sparse Logit Sampling, arXiv:2503.16870, shows what goes wrong without it). The ids of the
// candidates need no teacher: they can be fixed beforehand by models that everybody has.

#include "trainer/adaptation/logit_source.h"

namespace freshet {

struct CandidateSets {
  int size = 0;
  std::vector<TokenId> ids;  // [rows, size], distinct within a row
};

struct Answers {
  float temperature = 1;
  std::vector<float> q;  // [rows, size]: softmax(z / temperature) of the candidates
};

// A lesson is what adapt() trains on; `gate` says by row how much the teacher is heard.
struct Lesson {
  Prompts prompts;
  CandidateSets candidates;
  Answers answers;
  std::vector<float> gate;  // [rows], in [0, 1]; empty: 1 everywhere
};

// kBadInput for shapes that do not fit, ids outside [0, vocab), values that are no probability.
Result<void> check_lesson(const Lesson& lesson, int vocab);

// The likeliest of `a` and of `b` in turn, until each row has `size` different ones; of `a` alone
// where b is null. REQUIRES: 1 <= size <= vocab.
CandidateSets candidate_sets(LogitSource& a, LogitSource* b, const Prompts& prompts, int size);

// What a source says of given candidates, at a temperature.
Answers answer(LogitSource& source, const Prompts& prompts, const CandidateSets& candidates,
               float temperature);

// A teacher's own likeliest `size` and what it says of them, in one pass; beside it, where wanted,
// what next_log_probs() gives.
Lesson lesson_of(LogitSource& teacher, Prompts prompts, int size, float temperature,
                 std::vector<float>* next = nullptr);

// One that says nothing: for prompts that are learned by the tokens that follow alone.
Lesson silent_lesson(Prompts prompts);

// By row, the log probability of the token that follows; 0 where none does.
std::vector<float> next_log_probs(LogitSource& source, const Prompts& prompts);

// 1 where the teacher gave what follows more probability than the student did: it speaks only where
// it knows more. REQUIRES: one size.
std::vector<float> gate_where_better(const std::vector<float>& teacher,
                                     const std::vector<float>& student);

// Where the gate is closed, the lesson says what `own` says instead, and the gate is open.
// REQUIRES: `own` has the prompts and the size of `lesson`.
void fill_closed_gates(Lesson& lesson, const Lesson& own);

}  // namespace freshet
