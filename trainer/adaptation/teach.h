#pragma once
// What a campaign's coordinator does with what it has of its nodes: lessons for the large model
// (public text, text that the tuned small model wrote, the nodes' masked answers), each as the plan
// asks for it, and beside them text of the large model's own, so that it forgets nothing. The same
// inputs give the same adapter.

#include "model/language_model.h"
#include "model/question.h"
#include "trainer/adaptation/adapt.h"

namespace freshet {

struct Teacher {
  const Transformer& model;
  AdapterSpec spec;
  const std::vector<float>& adapter;  // empty: its base
  TokenId bos = 0;                    // what texts begin with; negative: nothing does
};

struct TeachMaterial {
  const TokenStream* public_text = nullptr;
  const Question* question = nullptr;
  const std::vector<float>* answers = nullptr;  // their mean
};

// The student's adapter. kBadInput where a lesson that the plan asks for has no material, the two
// models have no common vocabulary, a window or a number of candidates does not fit them, or a loss
// is no number.
Result<Finetuned> teach(const Transformer& student, const Teacher& teacher, const TeachPlan& plan,
                        const TeachMaterial& material, const AdaptationStep& step_done = {});

// How likely texts of a tuned model are to begin with each id, from what it writes after any id at
// all: what a text begins with decides what it is about, and a model tuned on the middle of texts
// has not learned how often which of its subjects begins.
Result<std::vector<double>> starts_of(const Transformer& model, const Lora& lora,
                                      const WritingPlan& plan);

}  // namespace freshet
