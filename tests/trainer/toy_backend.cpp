#include "tests/trainer/toy_backend.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <numeric>
#include <stdexcept>

namespace freshet {
namespace {

Result<std::string> content(const OpenFile& file) {
  TRY_ASSIGN(const MappedFile mapped, MappedFile::of(file.fd, file.name));
  return std::string(as_text(mapped.view()));
}

}  // namespace

Result<ModelLoaded> ToyBackend::load_model(LoadModel request, const OnProgress&) {
  TRY_ASSIGN(const std::string config, content(request.files.config));
  TRY_ASSIGN(const std::string tokenizer, content(request.files.tokenizer));
  TRY_ASSIGN(const std::string weights, content(request.files.weights.front()));
  ModelLoaded reply{};
  reply.slot = request.slot;
  reply.config.hidden_size = static_cast<int>(config.size());
  reply.config.vocab_size = static_cast<int>(tokenizer.size());
  reply.parameters = weights.size();
  reply.digest.fill(static_cast<std::uint8_t>(request.threads));
  return reply;
}

Result<TextOpened> ToyBackend::open_text(OpenText request, const OnProgress&) {
  std::string text;
  for (const OpenFile& file : request.files) {
    TRY_ASSIGN(const std::string one, content(file));
    text += one;
  }
  const TextOpened reply{
      {}, text.size(), 0, request.files.size(), static_cast<std::uint64_t>(request.window)};
  texts_[request.corpus] = std::move(text);
  return reply;
}

Result<std::string> ToyBackend::text_of(const std::string& corpus) const {
  if (corpus == "throws") throw std::runtime_error("thrown on purpose");
  if (corpus == "starves") throw std::bad_alloc();
  if (corpus == "diverges") return std::string();
  auto found = texts_.find(corpus);
  if (found == texts_.end()) return fail(Code::kBadInput, "no corpus \"" + corpus + "\" is open");
  return found->second;
}

Result<Finetuned> ToyBackend::finetune(const Finetune& request, const OnProgress& on_progress) {
  TRY(text_of(request.corpus));
  const auto steps = static_cast<std::uint64_t>(request.plan.steps);
  for (std::uint64_t step = 1; step <= steps; ++step) {
    clock_.advance(100);
    on_progress(step, steps);
  }
  Finetuned finetuned{request.adapter, request.plan.lr, 0, 0};
  std::reverse(finetuned.adapter.begin(), finetuned.adapter.end());
  if (request.corpus == "diverges") finetuned.adapter.back() = std::nanf("");
  return finetuned;
}

Result<Evaluation> ToyBackend::evaluate(const Evaluate& request, const OnProgress&) {
  TRY_ASSIGN(const std::string text, text_of(request.corpus));
  const double sum = std::accumulate(request.adapter.begin(), request.adapter.end(), 0.0);
  return Evaluation{request.adapter.size(), text.size(), sum};
}

Result<Finetuned> ToyBackend::teach(const Teach& request, const OnProgress&) {
  TRY(text_of(request.corpus));
  return Finetuned{request.teacher_adapter, request.plan.weight, request.plan.weight_end, 0};
}

Result<std::vector<float>> ToyBackend::answer(const Answer& request, const OnProgress&) {
  TRY(text_of(request.corpus));
  TRY(content(request.question));
  std::vector<float> values = request.adapter;
  values.insert(values.end(), {request.terms.temperature, request.terms.slope, request.terms.full});
  return values;
}

}  // namespace freshet
