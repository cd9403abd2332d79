#pragma once
// The torch-free face of a model that can be fine-tuned: in this process (trainer/), in a trainer
// process (model/process/trainer_process.h), or a toy. Adapters are flat vectors in
// adapter_layout() order.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/adapter.h"
#include "model/text/corpus.h"

namespace freshet {

// Privacy of every example of a text, by DP-SGD (trainer/training/private_gradient.h).
struct ExampleNoise {
  static constexpr double kMultiplierMax = 64;
  double multiplier = 0;  // of the noise in a step, over the clip; 0: none of this
  float clip = 1;         // L2 of one example's gradient
  Digest text{};          // text_digest() of what was charged for: nothing else is trained on
  std::array<std::uint8_t, 32> key{};  // draws and noise come from it: as secret as the text
  bool on() const { return multiplier > 0; }
};

struct FinetunePlan {
  AdapterSpec adapter;
  bool train_a = false, train_b = true;
  bool train_core = false;  // of B its core alone (model/core_map.h); then neither of the two
  int steps = 10, batch = 8, window = 128;
  float lr = 5e-3f;  // AdamW, beta 0.9/0.999, eps 1e-8, no weight decay, fresh state each call
  std::uint64_t seed = 0;  // of the windows drawn
  ExampleNoise examples = {};
};

struct Finetuned {
  std::vector<float> adapter;           // the whole adapter after training
  float first_loss = 0, last_loss = 0;  // nats per token, of the first and last step
  double seconds = 0;
};

struct Evaluation {
  std::uint64_t tokens = 0, bytes = 0;  // predicted tokens; bytes of text that they stand for
  double nll = 0;                       // sum, nats
  double nll_per_token() const { return tokens == 0 ? 0 : nll / static_cast<double>(tokens); }
  double bits_per_byte() const;  // nll / ln 2 / bytes
};

// How a large model (the student) learns of a small one that was tuned from a base of its own (the
// teacher): which lessons, how much of each batch is what, how the teacher is heard. With `shift`
// the teacher says the student's own base, moved by what tuning changed in it: softmax((z_student +
// z_tuned - z_base) / T), which is proxy-tuning (arXiv:2401.08565) distilled (FedPT,
// arXiv:2410.00362): a small model's ignorance is not taught. Without, its own distribution.
struct TeachPlan {
  AdapterSpec adapter;                        // of the student
  bool of_public = true, of_written = false;  // lessons; those that are there share the batch
  bool of_answers = false;                    // the nodes' mean answers to a question
  int steps = 200, batch = 8, window = 128;   // sequences of a step, tokens of a sequence
  int keeping = 2;                            // of a batch, text of the student's own
  int public_sequences = 256, written_sequences = 256, own_sequences = 64;  // at most; 0: all
  float lr = 1e-3f;
  int top_k = 16;  // teacher's kept entries; the rest is one bucket (arXiv:2503.16870)
  float temperature = 1;
  float weight = 0.7f;      // of the teacher on public text at the start, beside the plain loss
  float weight_end = 0.7f;  // annealed linearly to this; both 0: the teacher is not heard, and all
                            // of the public text is there
  bool shift = true;
  float silence = 0.02f;  // mean confidence below which nobody has said anything
  float sharpen = 1;      // of the answers: shares to this power
  std::uint64_t seed = 0;
  bool operator==(const TeachPlan&) const = default;
};

// How a node answers a question (trainer/adaptation/masked_logits.h): at which temperature, and how
// sure it is of a prompt whose tokens its tuning made likelier by g nats on average,
// min(1, exp(slope * (g - full))).
struct AnswerTerms {
  float temperature = 1, slope = 8, full = 0.3f;
};

class LanguageModel {
 public:
  virtual ~LanguageModel() = default;
  virtual const ModelConfig& config() const = 0;
  // `adapter` may be empty: the base model. kBadInput if its size is not the layout's.
  virtual Result<Finetuned> finetune(const FinetunePlan& plan, const std::vector<float>& adapter,
                                     const Corpus& corpus) = 0;
  // Mean over windows of `window` tokens with stride `window`.
  virtual Result<Evaluation> evaluate(const AdapterSpec& spec, const std::vector<float>& adapter,
                                      std::span<const TokenId> tokens, std::uint64_t bytes,
                                      int window) = 0;
};

}  // namespace freshet
