// A trainer that learns without a model: every corpus has a point that depends on its text alone,
// training moves the factors it is told to move a part of the way there, and bits per byte grow
// with the distance. Deterministic, quick, and good enough for a campaign over it to show that
// nodes learn from one another. A text that calls itself poisoned learns the opposite, many times
// as long.

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "base/json.h"
#include "base/limits.h"
#include "base/rng.h"
#include "crypto/digest.h"
#include "trainer/sandbox.h"
#include "trainer/service.h"

namespace freshet {
namespace {

class LearnerBackend final : public TrainerBackend {
 public:
  Result<ModelLoaded> load_model(LoadModel request, const OnProgress&) override {
    TRY_ASSIGN(MappedFile config,
               MappedFile::of(request.files.config.fd, request.files.config.name));
    ModelLoaded loaded;
    loaded.slot = request.slot;
    TRY_ASSIGN(loaded.config,
               parse_model_config(as_text(config.view()), request.files.config.name));
    configs_[request.slot] = loaded.config;
    return loaded;
  }

  Result<TextOpened> open_text(OpenText request, const OnProgress&) override {
    Hasher hasher;
    TextOpened opened;
    double& pace = paces_[request.corpus];
    pace = 0.25;
    for (const OpenFile& file : request.files) {
      TRY_ASSIGN(MappedFile text, MappedFile::of(file.fd, file.name));
      if (std::find(text.view().begin(), text.view().end(), 0) != text.view().end())
        return fail(Code::kBadInput, file.name + ": binary; a folder of text is wanted");
      hasher.update(text.view());
      if (as_text(text.view()).starts_with("poisoned")) pace = -20;
      opened.train_bytes += text.view().size();
    }
    opened.heldout_bytes = opened.train_bytes / 10;
    opened.train_bytes -= opened.heldout_bytes;
    opened.train_tokens = opened.train_bytes / 4;
    opened.train_examples = 100;
    const Digest digest = opened.train_text = hasher.finish();
    texts_[request.corpus] = digest;
    std::copy_n(digest.begin(), sizeof(std::uint64_t),
                reinterpret_cast<std::uint8_t*>(&points_[request.corpus]));
    return opened;
  }

  Result<Finetuned> finetune(const Finetune& request, const OnProgress& on_progress) override {
    TRY_ASSIGN(Layout whole, layout_of(request.slot, request.plan.adapter));
    if (request.adapter.size() != whole.size)
      return fail(Code::kBadInput, "the adapter has another layout");
    if (request.plan.examples.on() && request.plan.examples.text != texts_[request.corpus])
      return fail(Code::kUnavailable, "another text than was charged");
    Finetuned finetuned{request.adapter, 0, 0, 0};
    finetuned.first_loss = static_cast<float>(distance(request.corpus, finetuned.adapter));
    for (const LayoutEntry& entry : whole.entries) {
      if (!(entry.factor == Factor::kA ? request.plan.train_a : request.plan.train_b)) continue;
      for (std::size_t i = entry.offset; i < entry.offset + entry.size(); ++i)
        finetuned.adapter[i] += static_cast<float>(
            paces_[request.corpus] * (point(request.corpus, i) - finetuned.adapter[i]));
    }
    on_progress(1, 1);
    finetuned.last_loss = static_cast<float>(distance(request.corpus, finetuned.adapter));
    return finetuned;
  }

  Result<Evaluation> evaluate(const Evaluate& request, const OnProgress&) override {
    return Evaluation{1000, 1000, 1000 * distance(request.corpus, request.adapter)};
  }

  Result<Finetuned> teach(const Teach& request, const OnProgress& on_progress) override {
    TRY_ASSIGN(Layout whole, layout_of(Slot::kLlm, request.plan.adapter));
    Finetuned student{std::vector<float>(whole.size, request.plan.weight), 2, 1, 0};
    for (std::size_t i = 0; i < std::min(whole.size, request.teacher_adapter.size()); ++i)
      student.adapter[i] += request.plan.weight * request.teacher_adapter[i];
    for (int step = 1; step <= request.plan.steps; ++step)
      on_progress(static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(request.plan.steps));
    return student;
  }

  Result<std::vector<float>> answer(const Answer&, const OnProgress&) override {
    return fail(Code::kBadInput, "this trainer knows no answers");
  }

 private:
  Result<Layout> layout_of(Slot slot, const AdapterSpec& spec) {
    if (!configs_.contains(slot)) return fail(Code::kBadInput, "no model is loaded");
    return adapter_layout(configs_[slot], spec);
  }
  // Shared by all texts in nine parts of ten, the text's own in one.
  float point(const std::string& corpus, std::size_t entry) {
    Rng common(7, entry), own(points_[corpus], entry);
    return static_cast<float>(0.09 * (common.uniform() - 0.5) + 0.01 * (own.uniform() - 0.5));
  }
  double distance(const std::string& corpus, const std::vector<float>& adapter) {
    double sum = 0;
    for (std::size_t i = 0; i < adapter.size(); ++i)
      sum += std::pow(adapter[i] - point(corpus, i), 2);
    return std::sqrt(sum);
  }
  std::map<Slot, ModelConfig> configs_;
  std::map<std::string, std::uint64_t> points_;
  std::map<std::string, double> paces_;  // of learning
  std::map<std::string, Digest> texts_;
};

}  // namespace
}  // namespace freshet

int main() {
  if (!freshet::enter_sandbox()) ::_exit(5);
  freshet::LearnerBackend backend;
  // No destructors at the end: a leak checker would want to look into the process, which the
  // sandbox forbids.
  ::_exit(freshet::serve(freshet::kServiceFd, backend));
}
