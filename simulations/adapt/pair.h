#pragma once
// A small and a large model with one tokenizer, the private text of the nodes, and the text that
// the coordinator has: what every way of adapting the large one starts from.

#include "simulations/learning/fleet.h"
#include "trainer/transformer/lora.h"
#include "trainer/transformer/transformer.h"

namespace freshet {

struct AdaptPair {
  const Transformer& slm;
  const Transformer& llm;
  TokenId bos;
  const std::vector<FleetNode>& nodes;
  const TokenStream& public_text;  // the coordinator's own; no node's
  const TokenStream& general;      // held out of what both were pretrained on: what is forgotten
};

// An adapter with its layout, ready to compute with.
class Worn {
 public:
  Worn(const Transformer& model, const AdapterSpec& spec, std::vector<float> values);
  Worn(const Worn&) = delete;
  Worn& operator=(const Worn&) = delete;
  const Lora& lora() const { return lora_; }
  const std::vector<float>& values() const { return values_; }

 private:
  Layout layout_;
  std::vector<float> values_;
  Lora lora_;
};

// A model that stays as it was loaded, behind the face that a simulated fleet trains.
class FrozenModel final : public LanguageModel {
 public:
  explicit FrozenModel(const Transformer& model) : model_(model) {}
  const ModelConfig& config() const override { return model_.config; }
  Result<Finetuned> finetune(const FinetunePlan& plan, const std::vector<float>& adapter,
                             const Corpus& corpus) override;
  Result<Evaluation> evaluate(const AdapterSpec& spec, const std::vector<float>& adapter,
                              std::span<const TokenId> tokens, std::uint64_t bytes,
                              int window) override;

 private:
  const Transformer& model_;
};

}  // namespace freshet
