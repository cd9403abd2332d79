#include "trainer/transformer/head.h"

#include <algorithm>
#include <vector>

#include "trainer/kernels/timing.h"
#include "trainer/transformer/block.h"

namespace freshet {
namespace {

// Each row of z becomes factor times its gradient, in bf16 too where `halves` is not null; returns
// the sum of the losses.
double row_losses(const Transformer& model, std::int64_t first, std::int64_t rows,
                  std::span<const std::int32_t> targets, const TeacherRows* teacher, float factor,
                  float* z, std::uint16_t* halves) {
  const int vocab = model.config.vocab_size;
  std::vector<float> losses(static_cast<std::size_t>(rows), 0.0f);
#pragma omp parallel
  {
    std::vector<float> scratch(teacher ? static_cast<std::size_t>(vocab) : 0);
#pragma omp for schedule(static)
    for (std::int64_t n = 0; n < rows; ++n) {
      float* row = z + n * vocab;
      const std::int32_t target = targets[static_cast<std::size_t>(first + n)];
      if (target < 0) {
        std::fill(row, row + vocab, 0.0f);
        if (halves) kernels::to_bf16(vocab, row, halves + n * vocab);
        continue;
      }
      float& loss = losses[static_cast<std::size_t>(n)];
      if (teacher == nullptr) {
        loss = kernels::cross_entropy(vocab, target, row);
      } else {
        const std::int64_t at = (first + n) * teacher->kept;
        const float gate =
            teacher->gate.empty() ? 1.0f : teacher->gate[static_cast<std::size_t>(first + n)];
        loss = kernels::distillation(
            vocab, target,
            {teacher->ids.data() + at, teacher->q.data() + at, teacher->kept, teacher->temperature,
             gate * teacher->teacher_weight, teacher->plain_weight},
            row, scratch.data());
      }
      if (factor != 1.0f)
        for (int i = 0; i < vocab; ++i) row[i] *= factor;
      if (halves) kernels::to_bf16(vocab, row, halves + n * vocab);
    }
  }
  double sum = 0;
  for (float loss : losses) sum += loss;
  return sum;
}

}  // namespace

Head::Head(const Transformer& model, std::int64_t rows) : rows_at_a_time(rows) {
  const std::int64_t c = model.config.hidden_size, v = model.config.vocab_size;
  normed = Memory<float>(count_of(rows, c));
  z = Memory<float>(count_of(rows, v));
  inverse = Memory<float>(static_cast<std::size_t>(rows));
  mean = Memory<float>(static_cast<std::size_t>(rows));
  if (model.bf16_products()) halves = Memory<std::uint16_t>(count_of(rows, std::max(c, v) + 1));
}

double Head::loss(const Transformer& model, std::int64_t rows,
                  std::span<const std::int32_t> targets, const TeacherRows* teacher, float factor,
                  bool gradient, float* x) {
  const timing::Scope scope(timing::Kind::kHead);
  const std::int64_t c = model.config.hidden_size, v = model.config.vocab_size;
  double sum = 0;
  for (std::int64_t first = 0; first < rows; first += rows_at_a_time) {
    const std::int64_t some = std::min(rows_at_a_time, rows - first);
    float* part = x + first * c;
    apply_norm(model.norm, model.config.norm_eps, some, part, normed.data(), mean.data(),
               inverse.data());
    kernels::multiply({operand(model, halves.data(), normed.data(), some, c),
                       model.head,
                       false,
                       nullptr,
                       {},
                       false,
                       z.data()});  // [n,V]
    const bool rounded = gradient && model.bf16_products() && v % 2 == 0;
    sum += row_losses(model, first, some, targets, teacher, factor, z.data(),
                      rounded ? halves.data() : nullptr);
    if (!gradient) continue;
    kernels::multiply({rounded ? kernels::Operand{some, v, z.data(), halves.data()}
                               : operand(model, halves.data(), z.data(), some, v),
                       model.head,
                       true,
                       nullptr,
                       {},
                       false,
                       normed.data()});  // [n,C]
    const int columns = static_cast<int>(c);
    over_rows(some, [&](std::int64_t at, std::int64_t count) {
      std::vector<float> dx(count_of(count, c));
      float* to = part + at * c;
      if (model.norm.bias.empty())
        kernels::rms_norm_backward({count, columns}, normed.data() + at * c, to,
                                   model.norm.weight.data(), inverse.data() + at, dx.data(),
                                   nullptr);
      else
        kernels::layer_norm_backward({count, columns}, normed.data() + at * c, to,
                                     model.norm.weight.data(), mean.data() + at,
                                     inverse.data() + at, dx.data());
      std::copy(dx.begin(), dx.end(), to);
    });
  }
  return sum;
}

void Head::logits(const Transformer& model, std::int64_t rows, const float* x, float* out) {
  const std::int64_t c = model.config.hidden_size;
  std::vector<float> normed(count_of(rows, c)), mean(static_cast<std::size_t>(rows)),
      inverse(static_cast<std::size_t>(rows));
  std::vector<std::uint16_t> halves(model.bf16_products() ? count_of(rows, c + 1) : 0);
  apply_norm(model.norm, model.config.norm_eps, rows, x, normed.data(), mean.data(),
             inverse.data());
  kernels::multiply({operand(model, halves.data(), normed.data(), rows, c),
                     model.head,
                     false,
                     nullptr,
                     {},
                     false,
                     out});
}

}  // namespace freshet
