#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "trainer/finetune.h"
#include "trainer/training/batches.h"
#include "trainer/training/optimizer_state.h"

namespace freshet {
namespace {

// One model's logits of a batch, again and again.
class Logits {
 public:
  Logits(const Transformer& model, const Lora& lora, std::int64_t rows)
      : model_(model), pass_(model, lora, {.rows_max = rows, .head_rows = 1}) {}
  void operator()(const TokenBatch& batch, float* out) {
    Head::logits(model_, batch.rows(), pass_.hidden(batch), out);
  }

 private:
  const Transformer& model_;
  Pass pass_;
};

// The `kept` likeliest entries of softmax(z / temperature) of every row.
void keep_likeliest(const DistillPlan& plan, std::int64_t rows, int vocab, const float* z,
                    TeacherRows& out) {
  out.kept = plan.top_k;
  out.temperature = plan.temperature;
  out.ids.resize(static_cast<std::size_t>(rows * plan.top_k));
  out.q.resize(out.ids.size());
#pragma omp parallel
  {
    std::vector<std::int64_t> order(static_cast<std::size_t>(vocab));
#pragma omp for schedule(static)
    for (std::int64_t n = 0; n < rows; ++n) {
      const float* row = z + n * vocab;
      const float highest = *std::max_element(row, row + vocab);
      double sum = 0;
      for (int i = 0; i < vocab; ++i) sum += std::exp((row[i] - highest) / plan.temperature);
      std::iota(order.begin(), order.end(), 0);
      std::partial_sort(order.begin(), order.begin() + plan.top_k, order.end(),
                        [&](std::int64_t a, std::int64_t b) { return row[a] > row[b]; });
      for (int i = 0; i < plan.top_k; ++i) {
        const std::int64_t id = order[static_cast<std::size_t>(i)];
        out.ids[static_cast<std::size_t>(n * plan.top_k + i)] = id;
        out.q[static_cast<std::size_t>(n * plan.top_k + i)] =
            static_cast<float>(std::exp((row[id] - highest) / plan.temperature) / sum);
      }
    }
  }
}

// What a teacher says of batches: its own distribution, or the student's base moved by what tuning
// changed in the teacher.
class Teaching {
 public:
  Teaching(const Transformer& student, const TeacherModel& teacher, const Lora& tuned,
           const DistillPlan& plan)
      : plan_(plan),
        vocab_(student.config.vocab_size),
        tuned_(teacher.model, tuned, rows()),
        base_(teacher.model, none_, plan.shift ? rows() : 1),
        student_(student, none_, plan.shift ? rows() : 1),
        z_(static_cast<std::size_t>(rows() * vocab_)),
        other_(plan.shift ? z_.size() : 0) {}

  const TeacherRows& operator()(const TokenBatch& batch, float weight) {
    const std::int64_t count = batch.rows() * vocab_;
    tuned_(batch, z_.data());
    if (plan_.shift) {
      base_(batch, other_.data());
      for (std::int64_t i = 0; i < count; ++i)
        z_[static_cast<std::size_t>(i)] -= other_[static_cast<std::size_t>(i)];
      student_(batch, other_.data());
      for (std::int64_t i = 0; i < count; ++i)
        z_[static_cast<std::size_t>(i)] += other_[static_cast<std::size_t>(i)];
    }
    keep_likeliest(plan_, batch.rows(), vocab_, z_.data(), said_);
    said_.teacher_weight = weight;
    said_.plain_weight = 1 - weight;
    return said_;
  }

  int sequences() const {  // at a time: logits of about 64 MB
    const std::int64_t row_bytes = std::int64_t{plan_.window} * vocab_ * 4;
    return static_cast<int>(
        std::clamp<std::int64_t>((std::int64_t{64} << 20) / row_bytes, 1, plan_.batch));
  }

 private:
  std::int64_t rows() const { return std::int64_t{sequences()} * plan_.window; }
  const DistillPlan& plan_;
  int vocab_;
  Lora none_;
  Logits tuned_, base_, student_;
  Memory<float> z_, other_;
  TeacherRows said_;
};

Result<void> check_pair(const Transformer& student, const TeacherModel& teacher,
                        const DistillPlan& plan) {
  if (student.config.vocab_size != teacher.model.config.vocab_size)
    return fail(Code::kBadInput,
                "teacher and student have vocabularies of different size; distillation needs one "
                "tokenizer");
  if (plan.top_k < 1 || plan.top_k > student.config.vocab_size)
    return fail(Code::kBadInput,
                "top_k " + std::to_string(plan.top_k) + " is not within the vocabulary");
  if (plan.window > std::min(student.config.max_positions, teacher.model.config.max_positions))
    return fail(Code::kBadInput, "a window of " + std::to_string(plan.window) +
                                     " tokens is longer than the positions of a model");
  return {};
}

}  // namespace

Result<Finetuned> distill(const Transformer& student, const TeacherModel& teacher,
                          const DistillPlan& plan, const TokenStream& text,
                          const StepDone& step_done) {
  TRY(check_pair(student, teacher, plan));
  TRY_ASSIGN(const Layout teacher_layout, adapter_layout(teacher.model.config, teacher.spec));
  if (!teacher.adapter.empty() && teacher.adapter.size() != teacher_layout.size)
    return fail(Code::kBadInput, "the teacher's adapter does not fit the teacher");
  TRY_ASSIGN(const Layout layout, adapter_layout(student.config, plan.adapter));
  TrainPlan training;
  training.base = {.adapter = plan.adapter,
                   .train_a = true,
                   .train_b = true,
                   .steps = plan.steps,
                   .batch = plan.batch,
                   .window = plan.window,
                   .lr = plan.lr,
                   .seed = plan.seed};
  TRY_ASSIGN(Batches batches, Batches::make(text, training));

  const auto begun = std::chrono::steady_clock::now();
  const Lora tuned = teacher.adapter.empty() ? Lora()
                                             : Lora(teacher.model.config, teacher_layout,
                                                    teacher.adapter.data(), nullptr, false, false);
  Teaching teaching(student, teacher, tuned, plan);
  Finetuned result;
  result.adapter = initial_adapter(layout, plan.seed);
  std::vector<float> gradient(layout.size);
  const Lora lora(student.config, layout, result.adapter.data(), gradient.data(), true, true);
  Pass pass(student, lora,
            {.rows_max = std::int64_t{teaching.sequences()} * plan.window, .train = true});
  OptimizerState optimizer(layout, training);
  for (int step = 0; step < plan.steps; ++step) {
    const float done =
        plan.steps > 1 ? static_cast<float>(step) / static_cast<float>(plan.steps - 1) : 0.0f;
    const float weight = plan.weight + (plan.weight_end - plan.weight) * done;
    const TokenBatch batch = batches.next();
    const auto count = static_cast<double>(std::max<std::int64_t>(1, targets_of(batch)));
    std::fill(gradient.begin(), gradient.end(), 0.0f);
    double sum = 0;
    for (int first = 0; first < batch.sequences; first += teaching.sequences()) {
      const TokenBatch part =
          part_of(batch, first, std::min(teaching.sequences(), batch.sequences - first));
      sum += pass.run(part, static_cast<float>(1 / count),
                      weight == 0 ? nullptr : &teaching(part, weight));
    }
    const auto loss = static_cast<float>(sum / count);
    if (!std::isfinite(loss))
      return fail(Code::kBadInput, "the loss is no number at step " + std::to_string(step) +
                                       ": lower the learning rate");
    (step == 0 ? result.first_loss : result.last_loss) = loss;
    if (plan.steps == 1) result.last_loss = loss;
    if (!std::isfinite(optimizer.step(plan.lr, gradient, result.adapter)))
      return fail(Code::kBadInput, "the gradient is no number at step " + std::to_string(step) +
                                       ": lower the learning rate");
    if (step_done) step_done(step + 1, plan.steps);
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return result;
}

}  // namespace freshet
