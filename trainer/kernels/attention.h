#pragma once
// Causal attention of whole sequences, forward and backward, over the tiles of product.h: blocks of
// queries against panels of keys, so that what lies behind a query is not computed and no more than
// a block's scores exist at a time (as in Dao et al. 2022, arXiv:2205.14135). Sums and softmax are
// f32.

#include <cstdint>

namespace freshet::kernels {

struct AttentionShape {
  int time, heads, kv_heads, head_dim;
  const int* first_seen =
      nullptr;  // [T], not falling, first_seen[t] <= t: the first key that query t sees; null: 0
  bool bf16 = false;  // q, k, v are bf16, and so is what is multiplied with them. REQUIRES: an even
                      // head_dim, multiplies_bf16()
  int group() const { return heads / kv_heads; }
};

// Of one sequence, for the query heads of one key/value head `g`; q and k are already rotated. q
// [T,H,D], k, v [T,G,D]: f32, or bf16 where the shape says so; out [T,H,D]; log_sum [H,T]; scratch:
// attention_scratch(shape) floats.
std::int64_t attention_scratch(const AttentionShape& shape);
void attention(const AttentionShape& shape, int g, const void* q, const void* k, const void* v,
               float* out, float* log_sum, float* scratch);
// dq [T,H,D], dk, dv [T,G,D]: the parts of head g are written, not added to.
void attention_backward(const AttentionShape& shape, int g, const float* dout, const void* q,
                        const void* k, const void* v, const float* out, const float* log_sum,
                        float* dq, float* dk, float* dv, float* scratch);

}  // namespace freshet::kernels
