#include "trainer/batch.h"

#include "base/check.h"

namespace freshet {
namespace {

Batch empty_batch(int batch, int window) {
  return {at::empty({batch, window}, at::kLong), at::empty({std::int64_t{batch} * window}, at::kLong)};
}

void fill_row(Batch& out, std::span<const TokenId> tokens, std::size_t start, int row, int window) {
  std::int64_t* ids = out.ids.data_ptr<std::int64_t>() + std::int64_t{row} * window;
  std::int64_t* targets = out.targets.data_ptr<std::int64_t>() + std::int64_t{row} * window;
  for (int t = 0; t < window; ++t) {
    ids[t] = tokens[start + static_cast<std::size_t>(t)];
    targets[t] = tokens[start + static_cast<std::size_t>(t) + 1];
  }
}

}  // namespace

Batch draw_batch(Rng& rng, std::span<const TokenId> tokens, int batch, int window) {
  CHECK(tokens.size() > static_cast<std::size_t>(window), "{} tokens, window {}", tokens.size(), window);
  Batch out = empty_batch(batch, window);
  for (int row = 0; row < batch; ++row)
    fill_row(out, tokens, rng.below(tokens.size() - static_cast<std::size_t>(window)), row, window);
  return out;
}

Batch batch_at(std::span<const TokenId> tokens, std::size_t start, int batch, int window) {
  CHECK(start + static_cast<std::size_t>(batch) * static_cast<std::size_t>(window) < tokens.size());
  Batch out = empty_batch(batch, window);
  for (int row = 0; row < batch; ++row)
    fill_row(out, tokens, start + static_cast<std::size_t>(row) * static_cast<std::size_t>(window), row, window);
  return out;
}

}  // namespace freshet
