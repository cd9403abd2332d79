#include "trainer/adaptation/logit_source.h"

#include <algorithm>

#include "base/check.h"

namespace freshet {

ModelLogits::ModelLogits(const Transformer& model, const Lora& lora) : model_(model), lora_(lora) {}

void ModelLogits::read(const TokenBatch& batch) {
  if (batch.rows() > rows_max_) {
    rows_max_ = std::max(batch.rows(), kReadRows);
    pass_ = std::make_unique<Pass>(model_, lora_, PassPlan{.rows_max = rows_max_, .head_rows = 1});
  }
  hidden_ = pass_->hidden(batch);
}

void ModelLogits::rows(std::int64_t first, std::int64_t count, float* out) {
  CHECK(hidden_ != nullptr && first + count <= rows_max_, "{} rows from {}", count, first);
  Head::logits(model_, count, hidden_ + first * model_.config.hidden_size, out);
}

int ProxyLogits::positions() const {
  return std::min({large_.positions(), tuned_.positions(), base_.positions()});
}

void ProxyLogits::read(const TokenBatch& batch) {
  large_.read(batch);
  tuned_.read(batch);
  base_.read(batch);
}

void ProxyLogits::rows(std::int64_t first, std::int64_t count, float* out) {
  const auto size = static_cast<std::size_t>(count * vocab());
  other_.resize(size);
  large_.rows(first, count, out);
  tuned_.rows(first, count, other_.data());
  for (std::size_t i = 0; i < size; ++i) out[i] += alpha_ * other_[i];
  base_.rows(first, count, other_.data());
  for (std::size_t i = 0; i < size; ++i) out[i] -= alpha_ * other_[i];
}

Result<void> check_proxy(const LogitSource& large, const LogitSource& tuned,
                         const LogitSource& base) {
  if (large.vocab() == tuned.vocab() && large.vocab() == base.vocab()) return {};
  return fail(Code::kBadInput, "the models have vocabularies of " + std::to_string(large.vocab()) +
                                   ", " + std::to_string(tuned.vocab()) + " and " +
                                   std::to_string(base.vocab()) +
                                   " ids; moving logits from one to another needs one tokenizer");
}

void over_logits(
    LogitSource& source, const Prompts& prompts,
    const std::function<void(std::int64_t first, std::int64_t count, const float* z)>& on_rows) {
  std::vector<float> z(static_cast<std::size_t>(kLogitRows * source.vocab()));
  const auto together = static_cast<int>(std::max<std::int64_t>(1, kReadRows / prompts.window));
  for (std::int64_t at = 0; at < prompts.sequences(); at += together) {
    const int count = static_cast<int>(std::min<std::int64_t>(together, prompts.sequences() - at));
    const TokenBatch batch = batch_of(prompts, at, count);
    source.read(batch);
    for (std::int64_t row = 0; row < batch.rows(); row += kLogitRows) {
      const std::int64_t some = std::min(kLogitRows, batch.rows() - row);
      source.rows(row, some, z.data());
      on_rows(at * prompts.window + row, some, z.data());
    }
  }
}

}  // namespace freshet
