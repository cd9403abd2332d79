#include "coordinator/cloud_model_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "coordinator/campaign_store.h"
#include "crypto/digest.h"
#include "model/files/model_parts.h"
#include "model/question.h"
#include "model/text/corpus.h"

namespace freshet {
namespace {

// The cloud model is to learn of what is asked.
Result<void> check_asked(const CampaignFile& file, const ModelFiles& slm_files) {
  if (!file.plan.logits.on) return {};
  const AdaptPlan& adapt = file.adapt;
  TRY_ASSIGN(const MappedFile bytes, MappedFile::open(adapt.question));
  TRY_ASSIGN(const Question question, read_question(bytes.view()));
  TRY_ASSIGN(const ModelFiles files, open_model_folder(adapt.llm));
  TRY_ASSIGN(const ModelConfig llm, read_config(files));
  TRY_ASSIGN(const ModelConfig slm, read_config(slm_files));
  if (question.vocab != llm.vocab_size || question.vocab != slm.vocab_size)
    return fail(Code::kBadInput,
                fmt::format("{}: asks in a vocabulary of {}, the models have {} and {}: make it "
                            "again with these models",
                            adapt.question, question.vocab, slm.vocab_size, llm.vocab_size));
  if (question.window >= llm.max_positions)
    return fail(Code::kBadInput,
                fmt::format("{}: prompts of {} tokens, which is more than {} reads", adapt.question,
                            question.window, adapt.llm));
  return {};
}

}  // namespace

Result<void> check_adapt(const CampaignFile& file, const ModelFiles& slm) {
  const AdaptPlan& adapt = file.adapt;
  if (!adapt.enabled) return {};
  TRY_ASSIGN(ModelFiles llm, open_model_folder(adapt.llm));
  if (has(adapt, Way::kDirect)) {
    TRY_ASSIGN(const Digest small, model_digest(slm));
    TRY_ASSIGN(const Digest large, model_digest(llm));
    if (small != large)
      return fail(Code::kBadInput,
                  adapt.llm +
                      ": [adapt] ways has \"direct\", where the nodes train the cloud "
                      "model itself: name one folder as [campaign] model and [adapt] llm");
  }
  TRY_ASSIGN(MappedFile of_slm, MappedFile::of(slm.tokenizer.fd, slm.tokenizer.name));
  TRY_ASSIGN(MappedFile of_llm, MappedFile::of(llm.tokenizer.fd, llm.tokenizer.name));
  const ByteView a = of_slm.view(), b = of_llm.view();
  if (!std::equal(a.begin(), a.end(), b.begin(), b.end()))
    return fail(Code::kBadInput, adapt.llm +
                                     ": its tokenizer.json differs from the small model's; "
                                     "the cloud model learns of it token by token and "
                                     "needs the same one");
  TRY(check_asked(file, slm));
  if (adapt.public_text.empty()) return {};
  return open_text_folder(adapt.public_text).map([](const auto&) {});
}

Result<void> take_question(CampaignFile& file) {
  if (!file.adapt.enabled || !has(file.adapt, Way::kLogits)) return {};
  TRY_ASSIGN(const MappedFile bytes, MappedFile::open(file.adapt.question));
  auto question = read_question(bytes.view());
  if (!question) return fail_in(file.adapt.question, question.error());
  LogitsPlan& logits = file.plan.logits;
  const Digest digest = digest_of(bytes.view());
  if (logits.on && logits.question != digest)
    return fail(Code::kBadInput,
                fmt::format("{}: [logits] question names {}, this file is {}", file.adapt.question,
                            short_hex(logits.question), short_hex(digest)));
  logits.on = true;
  logits.question = digest;
  logits.rows = static_cast<std::uint32_t>(question->rows());
  logits.candidates = static_cast<std::uint32_t>(question->candidates);
  fit_to_answers(file.plan);
  return validate(file.robust, file.plan);
}

Result<void> check_unchanged(const CampaignFile& file) {
  TRY_ASSIGN(const ModelFiles slm, open_model_folder(file.model));
  TRY_ASSIGN(const Digest digest, digest_of_held(file.plan, slm));
  if (digest != file.plan.model)
    return fail(Code::kBadInput, file.model + ": not what the campaign was submitted with");
  return check_adapt(file, slm);
}

}  // namespace freshet
