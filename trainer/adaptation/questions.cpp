#include "trainer/adaptation/questions.h"

#include <algorithm>
#include <cmath>

#include "trainer/adaptation/masked_logits.h"
#include "trainer/adaptation/own_text.h"

namespace freshet {
namespace {

Result<void> check_fits(const ModelConfig& config, const Question& question) {
  if (question.vocab > config.vocab_size)
    return fail(Code::kBadInput, "the question is for a vocabulary of " +
                                     std::to_string(question.vocab) + ", this model has " +
                                     std::to_string(config.vocab_size) +
                                     " ids: its tokenizer claims more than it holds");
  if (question.window > config.max_positions)
    return fail(Code::kBadInput, "the question's prompts have " + std::to_string(question.window) +
                                     " tokens, this model reads " +
                                     std::to_string(config.max_positions));
  return {};
}

}  // namespace

Prompts prompts_of(const Question& question) {
  return {question.window, question.ids, question.next};
}

CandidateSets candidates_of(const Question& question) {
  return {question.candidates, question.candidate_ids};
}

Result<Question> make_question(const Transformer& llm, const Transformer& slm, Prompts prompts,
                               int candidates) {
  const int vocab = std::min(llm.config.vocab_size, slm.config.vocab_size);
  if (llm.config.vocab_size != slm.config.vocab_size)
    return fail(Code::kBadInput,
                "the two models have vocabularies of different size; they need one tokenizer");
  if (candidates < 1 || candidates > vocab)
    return fail(Code::kBadInput, std::to_string(candidates) + " candidates of a vocabulary of " +
                                     std::to_string(vocab));
  const Lora none;
  ModelLogits large(llm, none), small(slm, none);
  CandidateSets sets = candidate_sets(large, &small, prompts, candidates);
  Question question{vocab,
                    prompts.window,
                    candidates,
                    std::move(prompts.ids),
                    std::move(prompts.next),
                    std::move(sets.ids)};
  TRY(check_question(question));
  return question;
}

Result<std::vector<float>> answer_question(const OwnModel& own, const TokenStream& text,
                                           const Question& question, const AnswerTerms& plan) {
  TRY(check_fits(own.model.config, question));
  TRY_ASSIGN(const Layout layout, adapter_layout(own.model.config, own.spec));
  if (!own.adapter.empty() && own.adapter.size() != layout.size)
    return fail(Code::kBadInput, "the adapter does not fit the model");
  const Lora none, tuned = own.adapter.empty() ? Lora()
                                               : Lora(own.model.config, layout, own.adapter.data(),
                                                      nullptr, false, false);
  ModelLogits speaks(own.model, tuned), base(own.model, none);
  const Prompts prompts = prompts_of(question);
  const CandidateSets candidates = candidates_of(question);
  std::vector<float> confidence =
      confidence_of(prompts, next_log_probs(speaks, prompts), next_log_probs(base, prompts),
                    {.slope = plan.slope, .full = plan.full});
  silence_own(prompts, OwnText(text.ids), confidence);
  std::vector<float> values =
      logit_vector(candidates, answer(speaks, prompts, candidates, plan.temperature), confidence);
  const bool sound =
      std::all_of(values.begin(), values.end(), [](float v) { return v >= 0.0f && v <= 1.0001f; });
  if (!sound)
    return fail(Code::kBadInput,
                "the model says what is no probability: its weights or its adapter are broken");
  return values;
}

}  // namespace freshet
