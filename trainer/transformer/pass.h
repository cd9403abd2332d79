#pragma once
// A whole model over a batch of tokens: the loss, and the gradient of an adapter's factors. Owns
// the activations, which stay allocated from step to step.

#include <memory>
#include <span>
#include <vector>

#include "trainer/transformer/block.h"
#include "trainer/transformer/head.h"

namespace freshet {

struct TokenBatch {
  int sequences = 0, time = 0;
  std::vector<std::int32_t> ids;      // [sequences * time]
  std::vector<std::int32_t> targets;  // the id that follows each; -1: does not count
  std::vector<int> positions;         // empty: 0, 1, 2, ... in every sequence
  std::vector<int>
      first_seen;  // empty: all before it; else the first place of its sequence that a token sees
  std::int64_t rows() const { return std::int64_t{sequences} * time; }
};

// Something that gives losses of batches, and adds the gradient of an adapter to a vector that it
// was made with: the passes below on the processor, or LibTorch's on another device.
class LossSource {
 public:
  virtual ~LossSource() = default;
  // Sum of the losses of the targets that count. Where an adapter is trained, adds factor * d sum /
  // d adapter to its gradient.
  virtual double run(const TokenBatch& batch, float factor, const TeacherRows* teacher) = 0;
};

struct PassPlan {
  std::int64_t rows_max = 0;
  std::int64_t head_rows = 512;  // logits that exist at a time
  bool train = false;
  bool recompute = false;  // keep the input of every layer alone and run it again in backward
};

class Pass final : public LossSource {
 public:
  // REQUIRES: model and lora outlive this.
  Pass(const Transformer& model, const Lora& lora, const PassPlan& plan);

  double run(const TokenBatch& batch, float factor, const TeacherRows* teacher) override;

  // Hidden states after the last layer, before the final norm: [rows,C], valid until the next call.
  const float* hidden(const TokenBatch& batch);

 private:
  void forward(const TokenBatch& batch);
  void backward(const TokenBatch& batch);
  PassShape shape_of(const TokenBatch& batch) const;

  const Transformer& model_;
  const Lora& lora_;
  PassPlan plan_;
  Workspace work_;
  Memory<float> x_;                            // [rows,C]
  std::vector<std::unique_ptr<Kept>> inputs_;  // by layer from lowest_ on
  std::vector<std::unique_ptr<KeptLayer>>
      kept_;                   // by layer from lowest_ on; one for all where recomputed
  Room<float> input_, again_;  // of one layer, in backward
  int lowest_;
  Head head_;
};

}  // namespace freshet
