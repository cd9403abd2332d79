#include "trainer/backend.h"

#include "trainer/adaptation/questions.h"
#include "trainer/adaptation/teach.h"
#include "trainer/finetune.h"
#include "trainer/threads.h"
#include "trainer/training/examples.h"

namespace freshet {
namespace {

StepDone step_done(const OnProgress& on_progress) {
  return [&on_progress](int done, int total) {
    on_progress(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
  };
}

// As the request says; what became of personal data goes to the reply.
Result<Corpus> corpus_of(const Tokenizer& tokenizer, const std::vector<Document>& documents,
                         const OpenText& request, TextOpened& reply,
                         const OnProgress& on_progress) {
  const PassageFilter filter = [&](Document& passage) {
    if (request.personal == PersonalAction::kMask) mask_personal(passage, reply.personal);
    if (request.personal != PersonalAction::kDrop || !has_personal(passage)) return true;
    ++reply.dropped;
    return false;
  };
  if (request.salt.empty())
    return make_corpus(tokenizer, documents, request.heldout_share, request.window, on_progress);
  return make_corpus(tokenizer,
                     split_stably(documents, request.heldout_share, request.salt, filter),
                     request.window, on_progress);
}

Result<Question> question_of(const OpenFile& file) {
  TRY_ASSIGN(const MappedFile mapped, MappedFile::of(file.fd, file.name));
  return read_question(mapped.view());
}

}  // namespace

Result<const LoadedModel*> ModelBackend::model(Slot slot) const {
  const auto found = models_.find(slot);
  if (found == models_.end())
    return fail(Code::kBadInput, "no model is loaded as " + std::string(name_of(slot)));
  return &found->second;
}

Result<const Corpus*> ModelBackend::corpus(const std::string& name) const {
  const auto found = corpora_.find(name);
  if (found == corpora_.end())
    return fail(Code::kBadInput, "no text was opened as \"" + name + "\"");
  return &found->second;
}

Result<ModelLoaded> ModelBackend::load_model(LoadModel request, const OnProgress&) {
  if (request.threads > 0) set_threads(request.threads);
  TRY_ASSIGN(LoadedModel loaded, freshet::load_model(request.files, std::nullopt));
  ModelLoaded reply{request.id, request.slot, loaded.model.config, loaded.model.parameters,
                    loaded.digest};
  models_.insert_or_assign(request.slot, std::move(loaded));
  return reply;
}

Result<TextOpened> ModelBackend::open_text(OpenText request, const OnProgress& on_progress) {
  TRY_ASSIGN(const LoadedModel* model, this->model(request.slot));
  TRY_ASSIGN(const std::vector<Document> documents,
             read_documents(request.files, {&model->chat, {}}));
  TextOpened reply{request.id};
  TRY_ASSIGN(Corpus corpus, corpus_of(model->tokenizer, documents, request, reply, on_progress));
  reply.train_bytes = corpus.train.bytes, reply.heldout_bytes = corpus.heldout.bytes;
  reply.train_tokens = corpus.train.size(), reply.heldout_tokens = corpus.heldout.size();
  reply.train_examples = examples_of(corpus.train, request.window).size();
  reply.train_text = text_digest(corpus.train);
  corpora_.insert_or_assign(request.corpus, std::move(corpus));
  return reply;
}

Result<Finetuned> ModelBackend::finetune(const Finetune& request, const OnProgress& on_progress) {
  TRY_ASSIGN(const LoadedModel* model, this->model(request.slot));
  TRY_ASSIGN(const Corpus* corpus, this->corpus(request.corpus));
  return freshet::finetune(model->model, request.plan, request.adapter, corpus->train,
                           step_done(on_progress));
}

Result<Evaluation> ModelBackend::evaluate(const Evaluate& request, const OnProgress& on_progress) {
  TRY_ASSIGN(const LoadedModel* model, this->model(request.slot));
  TRY_ASSIGN(const Corpus* corpus, this->corpus(request.corpus));
  const TokenStream& stream = request.heldout ? corpus->heldout : corpus->train;
  std::span<const TokenId> tokens = stream.ids;
  std::uint64_t bytes = stream.bytes;
  if (request.tokens_max > 0 && tokens.size() > request.tokens_max) {
    bytes =
        bytes * request.tokens_max / tokens.size();  // the share of the bytes, to a token's length
    tokens = tokens.first(request.tokens_max);
  }
  const std::span<const std::uint8_t> counts(stream.counts);
  return freshet::evaluate(model->model, request.spec, request.adapter, tokens, bytes,
                           request.window, step_done(on_progress), counts);
}

Result<Finetuned> ModelBackend::teach(const Teach& request, const OnProgress& on_progress) {
  TRY_ASSIGN(const LoadedModel* student, model(Slot::kLlm));
  TRY_ASSIGN(const LoadedModel* teacher, model(Slot::kSlm));
  TeachMaterial material;
  if (!request.corpus.empty()) {
    TRY_ASSIGN(const Corpus* corpus, this->corpus(request.corpus));
    material.public_text = &corpus->train;
  }
  Question question;
  if (request.question.fd) {
    TRY_ASSIGN(question, question_of(request.question));
    material.question = &question;
    material.answers = &request.answers;
  }
  return freshet::teach(
      student->model,
      {teacher->model, request.teacher_spec, request.teacher_adapter, teacher->tokenizer.bos_id()},
      request.plan, material, step_done(on_progress));
}

Result<std::vector<float>> ModelBackend::answer(const Answer& request, const OnProgress&) {
  TRY_ASSIGN(const LoadedModel* model, this->model(request.slot));
  TRY_ASSIGN(const Corpus* corpus, this->corpus(request.corpus));
  TRY_ASSIGN(const Question question, question_of(request.question));
  return answer_question({model->model, request.spec, request.adapter}, corpus->train, question,
                         request.terms);
}

}  // namespace freshet
