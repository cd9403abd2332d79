#pragma once
// Token ids to tensors: windows drawn at random for training, windows in a row for measuring.

#include <ATen/ATen.h>

#include <span>

#include "base/rng.h"
#include "model/tokenizer/tokenizer.h"

namespace freshet {

struct Batch {
  at::Tensor ids;      // [B,T] of int64
  at::Tensor targets;  // [B*T]: the id that follows each
};

// `batch` windows of `window` ids, each start uniform. REQUIRES: tokens.size() > window.
Batch draw_batch(Rng& rng, std::span<const TokenId> tokens, int batch, int window);

// The ids of tokens[start, start + batch * window), `batch` windows in a row. REQUIRES: one more token follows.
Batch batch_at(std::span<const TokenId> tokens, std::size_t start, int batch, int window);

}  // namespace freshet
