#include "trainer/transformer/pass.h"

#include <algorithm>

#include "base/check.h"

namespace freshet {

Pass::Pass(const Transformer& model, const Lora& lora, const PassPlan& plan)
    : model_(model),
      lora_(lora),
      plan_(plan),
      work_(model, lora, plan.rows_max, plan.train),
      x_(static_cast<std::size_t>(plan.rows_max * model.config.hidden_size)),
      lowest_(plan.train ? std::min(lora.lowest_trained(), model.config.layers)
                         : model.config.layers),
      head_(model, std::min(plan.head_rows, plan.rows_max)) {
  const bool bf16 = model.bf16_products();
  for (int l = lowest_; l < model.config.layers; ++l) {
    inputs_.push_back(
        std::make_unique<Kept>(plan.rows_max * model.config.hidden_size, bf16 && !plan.recompute));
    if (!plan.recompute || l == lowest_)
      kept_.push_back(
          std::make_unique<KeptLayer>(model, plan.rows_max, lora, plan.recompute ? -1 : l, bf16));
  }
}

PassShape Pass::shape_of(const TokenBatch& batch) const {
  return {batch.sequences, batch.time, batch.positions.empty() ? nullptr : batch.positions.data(),
          batch.first_seen.empty() ? nullptr : batch.first_seen.data()};
}

void Pass::forward(const TokenBatch& batch) {
  const std::int64_t rows = batch.rows(), c = model_.config.hidden_size;
  CHECK(rows > 0 && rows <= plan_.rows_max && batch.time <= model_.config.max_positions,
        "{} rows of {}", rows, plan_.rows_max);
  const std::size_t needed =
      static_cast<std::size_t>(batch.time) * static_cast<std::size_t>(model_.config.head_dim / 2);
  if (work_.rotary.cosine.size() < needed) work_.rotary = make_rotary(model_.config, batch.time);
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    for (std::int64_t n = first; n < first + some; ++n) {
      float* x = x_.data() + n * c;
      kernels::read_row(model_.embedding, batch.ids[static_cast<std::size_t>(n)], 0, c, x);
      if (model_.positions.empty()) continue;
      const std::int64_t position =
          batch.positions.empty() ? n % batch.time : batch.positions[static_cast<std::size_t>(n)];
      for (std::int64_t i = 0; i < c; ++i)
        x[i] += model_.positions[static_cast<std::size_t>(position * c + i)];
    }
  });
  const PassShape shape = shape_of(batch);
  for (int l = 0; l < model_.config.layers; ++l) {
    KeptLayer* kept = nullptr;
    if (l >= lowest_) {
      inputs_[static_cast<std::size_t>(l - lowest_)]->put(x_.data());
      if (!plan_.recompute) kept = kept_[static_cast<std::size_t>(l - lowest_)].get();
    }
    forward_block({model_, lora_, shape, work_, l}, x_.data(), kept);
  }
}

void Pass::backward(const TokenBatch& batch) {
  const PassShape shape = shape_of(batch);
  const auto size = static_cast<std::size_t>(plan_.rows_max * model_.config.hidden_size);
  for (int l = model_.config.layers - 1; l >= lowest_; --l) {
    const float* x = inputs_[static_cast<std::size_t>(l - lowest_)]->get(input_.of(size));
    const BlockPass pass{model_, lora_, shape, work_, l};
    KeptLayer& kept = *kept_[plan_.recompute ? 0 : static_cast<std::size_t>(l - lowest_)];
    if (plan_.recompute) {
      float* again = again_.of(size);
      std::copy(x, x + size, again);
      forward_block(pass, again, &kept);
    }
    backward_block(pass, x, kept, l > lowest_, x_.data());
  }
}

double Pass::run(const TokenBatch& batch, float factor, const TeacherRows* teacher) {
  forward(batch);
  const bool train = lowest_ < model_.config.layers;
  const double sum =
      head_.loss(model_, batch.rows(), batch.targets, teacher, factor, train, x_.data());
  if (train) backward(batch);
  return sum;
}

const float* Pass::hidden(const TokenBatch& batch) {
  forward(batch);
  return x_.data();
}

}  // namespace freshet
