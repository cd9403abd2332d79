#include "trainer/adaptation/adapt.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "base/rng.h"
#include "trainer/training/batches.h"
#include "trainer/training/optimizer_state.h"

namespace freshet {
namespace {

constexpr int kTogether = 8;  // sequences of one pass

// The sequences of a lesson, all of them before one comes again.
class SequenceOrder {
 public:
  SequenceOrder(std::int64_t sequences, std::uint64_t seed, std::uint64_t stream)
      : order_(static_cast<std::size_t>(sequences)), rng_(seed, stream) {
    std::iota(order_.begin(), order_.end(), 0);
    at_ = order_.size();
  }
  std::int64_t next() {
    if (at_ == order_.size()) {
      for (std::size_t i = order_.size(); i > 1; --i)
        std::swap(order_[i - 1], order_[rng_.below(static_cast<std::uint32_t>(i))]);
      at_ = 0;
    }
    return order_[at_++];
  }

 private:
  std::vector<std::int64_t> order_;
  Rng rng_;
  std::size_t at_;
};

struct Taught {
  TokenBatch batch;
  TeacherRows said;
};

// Some sequences of a lesson with what is said of them.
void take(const Lesson& lesson, std::span<const std::int64_t> sequences, Taught& out) {
  const auto window = static_cast<std::ptrdiff_t>(lesson.prompts.window),
             size = static_cast<std::ptrdiff_t>(lesson.candidates.size);
  out.batch = {static_cast<int>(sequences.size()), lesson.prompts.window, {}, {}, {}, {}};
  out.said.kept = lesson.candidates.size;
  out.said.temperature = lesson.answers.temperature;
  out.said.ids.clear();
  out.said.q.clear();
  out.said.gate.clear();
  const auto append = [](auto& to, const auto& from, std::ptrdiff_t at, std::ptrdiff_t count) {
    to.insert(to.end(), from.begin() + at, from.begin() + at + count);
  };
  for (const std::int64_t sequence : sequences) {
    const auto at = static_cast<std::ptrdiff_t>(sequence) * window;
    append(out.batch.ids, lesson.prompts.ids, at, window);
    append(out.batch.targets, lesson.prompts.next, at, window);
    append(out.said.ids, lesson.candidates.ids, at * size, window * size);
    append(out.said.q, lesson.answers.q, at * size, window * size);
    if (!lesson.gate.empty()) append(out.said.gate, lesson.gate, at, window);
  }
}

Result<void> check_shares(std::span<const LessonShare> shares, const Transformer& student) {
  int sequences = 0;
  for (const LessonShare& share : shares) {
    TRY(check_lesson(*share.lesson, student.config.vocab_size));
    if (share.lesson->prompts.window > student.config.max_positions)
      return fail(Code::kBadInput, "a lesson's window of " +
                                       std::to_string(share.lesson->prompts.window) +
                                       " tokens is longer than the student's positions");
    sequences += std::max(0, share.sequences);
  }
  if (sequences == 0) return fail(Code::kBadInput, "no lesson has a part in the batches");
  return {};
}

class Adapting {
 public:
  Adapting(const Transformer& student, const AdaptationPlan& plan, const Layout& layout,
           std::span<const LessonShare> shares, std::vector<float> start)
      : plan_(plan),
        training_(training_of(plan)),
        shares_(shares),
        adapter(std::move(start)),
        gradient_(layout.size),
        lora_(student.config, layout, adapter.data(), gradient_.data(), true, true),
        pass_(student, lora_, {.rows_max = rows_of(shares), .train = true}),
        optimizer_(layout, training_) {
    for (std::size_t i = 0; i < shares.size(); ++i)
      orders_.emplace_back(shares[i].lesson->prompts.sequences(), plan.seed, i);
  }

  Result<float> step(int step) {
    std::fill(gradient_.begin(), gradient_.end(), 0.0f);
    std::int64_t rows = 0;
    for (const LessonShare& share : shares_)
      rows += std::int64_t{share.sequences} * share.lesson->prompts.window;
    double sum = 0;
    for (std::size_t i = 0; i < shares_.size(); ++i) sum += learn(i, step, rows);
    const auto loss = static_cast<float>(sum / static_cast<double>(rows));
    const double norm =
        std::isfinite(loss) ? optimizer_.step(rate_at(training_, step), gradient_, adapter) : 0;
    if (!std::isfinite(loss) || !std::isfinite(norm))
      return fail(Code::kBadInput, std::string("the ") +
                                       (std::isfinite(loss) ? "gradient" : "loss") +
                                       " is no number at step " + std::to_string(step + 1) +
                                       ": lower the learning rate");
    return loss;
  }

 private:
  static TrainPlan training_of(const AdaptationPlan& plan) {
    TrainPlan training;
    training.base.adapter = plan.adapter;
    training.base.train_a = training.base.train_b = true;
    training.base.steps = plan.steps;
    training.base.lr = plan.lr;
    training.schedule = Schedule::kCosine;
    training.warmup = std::min(plan.warmup, plan.steps - 1);
    training.clip = plan.clip;
    return training;
  }

  static std::int64_t rows_of(std::span<const LessonShare> shares) {
    std::int64_t rows = 0;
    for (const LessonShare& share : shares)
      rows = std::max(
          rows, std::int64_t{std::min(share.sequences, kTogether)} * share.lesson->prompts.window);
    return rows;
  }

  // The sum of one share's losses; its gradient, over `rows`, is added.
  double learn(std::size_t index, int step, std::int64_t rows) {
    const LessonShare& share = shares_[index];
    const float done =
        plan_.steps > 1 ? static_cast<float>(step) / static_cast<float>(plan_.steps - 1) : 0.0f;
    const float weight = share.weight + (share.weight_end - share.weight) * done;
    taught_.said.teacher_weight = weight;
    taught_.said.plain_weight = share.plain ? 1 - weight : 0;
    double sum = 0;
    for (int left = share.sequences; left > 0; left -= kTogether) {
      std::vector<std::int64_t> sequences;
      for (int i = 0; i < std::min(left, kTogether); ++i)
        sequences.push_back(orders_[index].next());
      take(*share.lesson, sequences, taught_);
      sum += pass_.run(taught_.batch, 1.0f / static_cast<float>(rows), &taught_.said);
    }
    return sum;
  }

  const AdaptationPlan& plan_;
  TrainPlan training_;
  std::span<const LessonShare> shares_;

 public:
  std::vector<float> adapter;

 private:
  std::vector<float> gradient_;
  Lora lora_;
  Pass pass_;
  OptimizerState optimizer_;
  std::vector<SequenceOrder> orders_;
  Taught taught_;
};

}  // namespace

Result<Finetuned> adapt(const Transformer& student, const AdaptationPlan& plan,
                        const std::vector<float>& start, std::span<const LessonShare> shares,
                        const AdaptationStep& step_done) {
  TRY(check_shares(shares, student));
  TRY_ASSIGN(const Layout layout, adapter_layout(student.config, plan.adapter));
  if (!start.empty() && start.size() != layout.size)
    return fail(Code::kBadInput, "the adapter to go on from does not fit the student");
  if (plan.steps < 1) return fail(Code::kBadInput, "adapting takes one step at least");
  const auto begun = std::chrono::steady_clock::now();
  Adapting adapting(student, plan, layout, shares,
                    start.empty() ? initial_adapter(layout, plan.seed) : start);
  Finetuned result;
  for (int step = 0; step < plan.steps; ++step) {
    TRY_ASSIGN(result.last_loss, adapting.step(step));
    if (step == 0) result.first_loss = result.last_loss;
    if (step_done) step_done(step + 1, plan.steps);
  }
  result.adapter = std::move(adapting.adapter);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return result;
}

}  // namespace freshet
