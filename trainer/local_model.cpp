#include "trainer/local_model.h"

#include "trainer/finetune.h"
#include "trainer/model_folder.h"
#include "trainer/transformer/generation.h"

namespace freshet {

struct LocalModel::State {
  LoadedModel model;
};

LocalModel::LocalModel(std::unique_ptr<State> state) : state_(std::move(state)) {}
LocalModel::LocalModel(LocalModel&&) noexcept = default;
LocalModel& LocalModel::operator=(LocalModel&&) noexcept = default;
LocalModel::~LocalModel() = default;

Result<LocalModel> LocalModel::load(const ModelFiles& files) {
  TRY_ASSIGN(LoadedModel model, load_model(files, Precision::kF32));
  return LocalModel(std::make_unique<State>(State{std::move(model)}));
}

const ModelConfig& LocalModel::config() const { return state_->model.model.config; }
const Tokenizer& LocalModel::tokenizer() const { return state_->model.tokenizer; }
const Result<ChatTemplate>& LocalModel::chat() const { return state_->model.chat; }
const Digest& LocalModel::digest() const { return state_->model.digest; }
std::uint64_t LocalModel::parameters() const { return state_->model.model.parameters; }

Result<Finetuned> LocalModel::finetune(const FinetunePlan& plan, const std::vector<float>& adapter,
                                       const Corpus& corpus) {
  return freshet::finetune(state_->model.model, plan, adapter, corpus.train, {});
}

Result<Evaluation> LocalModel::evaluate(const AdapterSpec& spec, const std::vector<float>& adapter,
                                        std::span<const TokenId> tokens, std::uint64_t bytes,
                                        int window) {
  return freshet::evaluate(state_->model.model, spec, adapter, tokens, bytes, window, {});
}

Result<Generated> LocalModel::generate(const AdapterSpec& spec, const std::vector<float>& adapter,
                                       std::span<const TokenId> prompt, const GeneratePlan& plan) {
  const Transformer& model = state_->model.model;
  TRY_ASSIGN(const Layout layout, adapter_layout(model.config, spec));
  if (!adapter.empty() && adapter.size() != layout.size)
    return fail(Code::kBadInput, "the adapter does not fit the model");
  const Lora lora =
      adapter.empty() ? Lora() : Lora(model.config, layout, adapter.data(), nullptr, false, false);
  return freshet::generate(model, lora, &state_->model.tokenizer, prompt, plan);
}

}  // namespace freshet
