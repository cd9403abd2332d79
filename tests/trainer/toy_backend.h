#pragma once
// A trainer without a model, for tests of everything around one. It reads the descriptors it gets
// and does arithmetic that a test can predict; names of corpora make it fail in the ways a real one
// may.

#include <map>
#include <string>

#include "trainer/service.h"

namespace freshet {

class ManualClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  void advance(std::int64_t ms) { now_.ms += ms; }

 private:
  Instant now_;
};

// load_model: parameters = bytes of the weights, hidden_size = bytes of the config, vocab_size =
// bytes of the tokenizer. open_text: train_bytes = bytes of all files, train_tokens = files,
// heldout_tokens = window. finetune: the adapter reversed, after plan.steps reports of progress,
// 100 ms of `clock` apart; lr is the first loss. evaluate: tokens = entries of the adapter, bytes =
// those of the corpus, nll = sum of the adapter's entries. teach: the teacher's adapter as it is.
// answer: the adapter, and behind it the terms. Corpora: "throws" and "starves" end in exceptions,
// "diverges" in a NaN.
class ToyBackend final : public TrainerBackend {
 public:
  explicit ToyBackend(ManualClock& clock) : clock_(clock) {}
  Result<ModelLoaded> load_model(LoadModel request, const OnProgress& on_progress) override;
  Result<TextOpened> open_text(OpenText request, const OnProgress& on_progress) override;
  Result<Finetuned> finetune(const Finetune& request, const OnProgress& on_progress) override;
  Result<Evaluation> evaluate(const Evaluate& request, const OnProgress& on_progress) override;
  Result<Finetuned> teach(const Teach& request, const OnProgress& on_progress) override;
  Result<std::vector<float>> answer(const Answer& request, const OnProgress& on_progress) override;

 private:
  Result<std::string> text_of(const std::string& corpus) const;
  ManualClock& clock_;
  std::map<std::string, std::string> texts_;
};

}  // namespace freshet
