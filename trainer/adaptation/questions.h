#pragma once
// A campaign's question: made by the models that everybody may have, answered by a node's own.

#include "model/language_model.h"
#include "model/question.h"
#include "trainer/adaptation/lesson.h"

namespace freshet {

Prompts prompts_of(const Question& question);
CandidateSets candidates_of(const Question& question);

// Prompts with candidates from both models in turn. kBadInput where they have no common vocabulary.
Result<Question> make_question(const Transformer& llm, const Transformer& slm, Prompts prompts,
                               int candidates);

struct OwnModel {
  const Transformer& model;
  AdapterSpec spec;
  const std::vector<float>& adapter;
};

// What a node sends: the vector of trainer/adaptation/masked_logits.h, with confidence 0 where a
// prompt holds its own text. kBadInput where the model has not the question's vocabulary or
// positions, or says what is no number.
Result<std::vector<float>> answer_question(const OwnModel& own, const TokenStream& text,
                                           const Question& question, const AnswerTerms& plan);

}  // namespace freshet
