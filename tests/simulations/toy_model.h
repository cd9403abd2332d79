#pragma once
// A model whose training can be told beforehand.

#include <vector>

#include "model/adapter.h"
#include "model/language_model.h"

namespace freshet {

// Every training step moves each trained value by what the node's text holds; the loss is the mean
// value of the adapter.
class ToyModel final : public LanguageModel {
 public:
  ToyModel() {
    config_.vocab_size = 16;
    config_.hidden_size = 8;
    config_.intermediate_size = 8;
    config_.layers = 1;
    config_.heads = config_.kv_heads = 2;
    config_.head_dim = 4;
    config_.max_positions = 64;
  }
  const ModelConfig& config() const override { return config_; }

  Result<Finetuned> finetune(const FinetunePlan& plan, const std::vector<float>& adapter,
                             const Corpus& corpus) override {
    TRY_ASSIGN(const Layout whole, adapter_layout(config_, plan.adapter));
    const Layout phase = phase_layout(whole, plan.train_a, plan.train_b);
    Finetuned tuned{adapter, 0, 0, 0};
    scatter_add(whole, phase,
                std::vector<float>(phase.size, 0.001f * static_cast<float>(corpus.train.ids[0])),
                tuned.adapter);
    return tuned;
  }
  Result<Evaluation> evaluate(const AdapterSpec&, const std::vector<float>& adapter,
                              std::span<const TokenId>, std::uint64_t, int) override {
    double sum = 0;
    for (float value : adapter) sum += value;
    return Evaluation{1, 1, adapter.empty() ? 0 : sum / static_cast<double>(adapter.size())};
  }

 private:
  ModelConfig config_;
};

}  // namespace freshet
