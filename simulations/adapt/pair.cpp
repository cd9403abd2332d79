#include "simulations/adapt/pair.h"

#include "trainer/finetune.h"

namespace freshet {

Worn::Worn(const Transformer& model, const AdapterSpec& spec, std::vector<float> values)
    : layout_(adapter_layout(model.config, spec).value()),
      values_(std::move(values)),
      lora_(values_.empty() ? Lora()
                            : Lora(model.config, layout_, values_.data(), nullptr, false, false)) {}

Result<Finetuned> FrozenModel::finetune(const FinetunePlan& plan, const std::vector<float>& adapter,
                                        const Corpus& corpus) {
  return freshet::finetune(model_, plan, adapter, corpus.train, {});
}

Result<Evaluation> FrozenModel::evaluate(const AdapterSpec& spec, const std::vector<float>& adapter,
                                         std::span<const TokenId> tokens, std::uint64_t bytes,
                                         int window) {
  return freshet::evaluate(model_, spec, adapter, tokens, bytes, window, {});
}

}  // namespace freshet
