#include "trainer/finetune.h"

#include <chrono>
#include <cmath>

#include "base/rng.h"
#include "trainer/batch.h"

namespace freshet {
namespace {

constexpr std::uint64_t kWindowStream = 0x77696e;  // of the generator that draws windows

// An adapter in training and what AdamW keeps about it.
class Trainee {
 public:
  explicit Trainee(LoraAdapter adapter) : adapter_(std::move(adapter)) {
    for (const auto& trained : adapter_.trained()) count_ += static_cast<std::size_t>(trained.tensor.numel());
    first_.resize(count_);
    second_.resize(count_);
  }

  const LoraAdapter& adapter() const { return adapter_; }
  std::vector<float>& values() { return adapter_.values(); }

  void update(float lr) {
    kernels::AdamW rule{.lr = lr, .step = ++steps_};
    std::size_t at = 0;
    for (const auto& trained : adapter_.trained()) {
      const at::Tensor gradient = trained.tensor.grad().contiguous();
      kernels::adamw(rule, gradient.numel(), gradient.data_ptr<float>(), first_.data() + at, second_.data() + at,
                     adapter_.values().data() + trained.offset);
      at += static_cast<std::size_t>(gradient.numel());
      trained.tensor.mutable_grad() = at::Tensor();
    }
  }

 private:
  LoraAdapter adapter_;
  std::size_t count_ = 0;
  std::vector<float> first_, second_;
  std::int64_t steps_ = 0;
};

struct Start {
  Layout layout;
  std::vector<float> adapter;
};

Result<Start> starting_point(const ModelConfig& config, const AdapterSpec& spec, const std::vector<float>& adapter,
                             std::uint64_t seed) {
  TRY_ASSIGN(Layout layout, adapter_layout(config, spec));
  if (!adapter.empty() && adapter.size() != layout.size)
    return fail(Code::kBadInput, "the adapter has " + std::to_string(adapter.size()) + " values, but this model at rank " +
                                     std::to_string(spec.rank) + " needs " + std::to_string(layout.size));
  std::vector<float> values = adapter.empty() ? initial_adapter(layout, seed) : adapter;
  return Start{std::move(layout), std::move(values)};
}

Result<void> check_window(const ModelConfig& config, std::span<const TokenId> tokens, int window) {
  if (window > config.max_positions)
    return fail(Code::kBadInput, "a window of " + std::to_string(window) + " tokens is longer than the model's " +
                                     std::to_string(config.max_positions) + " positions");
  if (tokens.size() <= static_cast<std::size_t>(window))
    return fail(Code::kBadInput, "the text has " + std::to_string(tokens.size()) + " tokens; one window needs " +
                                     std::to_string(window + 1) + ": give more text or a shorter window");
  return {};
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Runs `steps` steps; loss_of(step, trainee) gives the loss of one.
template <class LossOf>
Result<Finetuned> train(Trainee& trainee, int steps, float lr, const LossOf& loss_of, const StepDone& step_done) {
  const auto start = std::chrono::steady_clock::now();
  Finetuned result;
  for (int step = 0; step < steps; ++step) {
    const at::Tensor loss = loss_of(step, trainee);
    const float value = loss.item<float>();
    if (!std::isfinite(value))
      return fail(Code::kBadInput, "the loss is no number at step " + std::to_string(step) + ": lower the learning rate");
    (step == 0 ? result.first_loss : result.last_loss) = value;
    if (steps == 1) result.last_loss = value;
    loss.backward();
    trainee.update(lr);
    if (step_done) step_done(step + 1, steps);
  }
  result.adapter = std::move(trainee.values());
  result.seconds = seconds_since(start);
  return result;
}

at::Tensor plain_logits(const Llama& llama, const Batch& batch, const LoraAdapter* lora) {  // [N,V]
  return logits_of(llama, hidden_states(llama, batch.ids, lora, Precision::kF32), Precision::kF32);
}

struct Teaching {
  const Llama& student;
  const Llama& teacher;
  const LoraAdapter& lora;  // of the teacher
};

TeacherRows teacher_rows(const Teaching& teaching, const Batch& batch, const DistillPlan& plan, float weight) {
  at::NoGradGuard no_gradient;
  at::Tensor z = plain_logits(teaching.teacher, batch, &teaching.lora);  // [N,V]
  if (plan.shift) {
    z.sub_(plain_logits(teaching.teacher, batch, nullptr));
    z.add_(plain_logits(teaching.student, batch, nullptr));
  }
  auto [q, ids] = at::topk(at::softmax(z.div_(plan.temperature), 1), plan.top_k, 1);  // [N,K]
  return {ids.contiguous(), q.contiguous(), plan.temperature, weight, 1 - weight};
}

}  // namespace

Result<Finetuned> finetune(const Llama& llama, const FinetunePlan& plan, const std::vector<float>& adapter,
                           std::span<const TokenId> tokens, const StepDone& step_done) {
  TRY(check_window(llama.config, tokens, plan.window));
  TRY_ASSIGN(Start start, starting_point(llama.config, plan.adapter, adapter, plan.seed));
  Trainee trainee(LoraAdapter(llama.config, plan.adapter, std::move(start.layout), std::move(start.adapter), plan.train_a,
                              plan.train_b));
  Rng rng(plan.seed, kWindowStream);
  return train(
      trainee, plan.steps, plan.lr,
      [&](int, Trainee& now) {
        const Batch batch = draw_batch(rng, tokens, plan.batch, plan.window);
        const at::Tensor h = hidden_states(llama, batch.ids, &now.adapter(), Precision::kF32);  // [N,C]
        return head_loss(h, llama.head, batch.targets, nullptr, Precision::kF32);
      },
      step_done);
}

Result<Finetuned> distill(const Llama& student, const TeacherModel& teacher, const DistillPlan& plan,
                          std::span<const TokenId> tokens, const StepDone& step_done) {
  if (student.config.vocab_size != teacher.llama.config.vocab_size)
    return fail(Code::kBadInput, "teacher and student have vocabularies of different size; distillation needs one tokenizer");
  if (plan.top_k < 1 || plan.top_k > student.config.vocab_size)
    return fail(Code::kBadInput, "top_k " + std::to_string(plan.top_k) + " is not within the vocabulary");
  TRY(check_window(student.config, tokens, plan.window));
  TRY(check_window(teacher.llama.config, tokens, plan.window));
  TRY_ASSIGN(Layout teacher_layout, adapter_layout(teacher.llama.config, teacher.spec));
  if (!teacher.adapter.empty() && teacher.adapter.size() != teacher_layout.size)
    return fail(Code::kBadInput, "the teacher's adapter does not fit the teacher");
  const LoraAdapter teacher_lora(teacher.llama.config, teacher.spec, std::move(teacher_layout), teacher.adapter, false, false);
  TRY_ASSIGN(Start start, starting_point(student.config, plan.adapter, {}, plan.seed));
  Trainee trainee(LoraAdapter(student.config, plan.adapter, std::move(start.layout), std::move(start.adapter), true, true));
  Rng rng(plan.seed, kWindowStream);
  return train(
      trainee, plan.steps, plan.lr,
      [&](int step, Trainee& now) {
        const float done = plan.steps > 1 ? static_cast<float>(step) / static_cast<float>(plan.steps - 1) : 0.0f;
        const float weight = plan.weight + (plan.weight_end - plan.weight) * done;
        const Batch batch = draw_batch(rng, tokens, plan.batch, plan.window);
        const at::Tensor h = hidden_states(student, batch.ids, &now.adapter(), Precision::kF32);  // [N,C]
        if (weight == 0) return head_loss(h, student.head, batch.targets, nullptr, Precision::kF32);
        const TeacherRows rows = teacher_rows({student, teacher.llama, teacher_lora}, batch, plan, weight);
        return head_loss(h, student.head, batch.targets, &rows, Precision::kF32);
      },
      step_done);
}

Result<Evaluation> evaluate(const Llama& llama, const AdapterSpec& spec, const std::vector<float>& adapter,
                            std::span<const TokenId> tokens, std::uint64_t bytes, int window, const StepDone& step_done) {
  constexpr std::size_t kBatch = 8;
  if (tokens.size() < 2) return fail(Code::kBadInput, "nothing to measure: the text has fewer than two tokens");
  if (window < 1 || window > llama.config.max_positions)
    return fail(Code::kBadInput, "a window of " + std::to_string(window) + " tokens does not fit the model's " +
                                     std::to_string(llama.config.max_positions) + " positions");
  at::NoGradGuard no_gradient;
  TRY_ASSIGN(Layout layout, adapter_layout(llama.config, spec));
  if (!adapter.empty() && adapter.size() != layout.size)
    return fail(Code::kBadInput, "the adapter does not fit the model: it has " + std::to_string(adapter.size()) +
                                     " values, the layout " + std::to_string(layout.size));
  const LoraAdapter lora(llama.config, spec, std::move(layout), adapter, false, false);
  Evaluation result;
  const std::size_t total = tokens.size() - 1, wide = static_cast<std::size_t>(window);
  for (std::size_t at = 0; at < total;) {
    const std::size_t left = total - at;
    const std::size_t rows = left >= wide ? std::min(kBatch, left / wide) : 1, columns = std::min(wide, left);
    const Batch batch = batch_at(tokens, at, static_cast<int>(rows), static_cast<int>(columns));
    const at::Tensor h = hidden_states(llama, batch.ids, &lora, Precision::kF32);  // [N,C]
    result.nll += head_loss(h, llama.head, batch.targets, nullptr, Precision::kF32).item<double>() *
                  static_cast<double>(rows * columns);
    at += rows * columns;
    if (step_done) step_done(static_cast<int>(at / wide), static_cast<int>((total + wide - 1) / wide));
  }
  result.tokens = total;
  result.bytes = bytes;
  return result;
}

}  // namespace freshet
