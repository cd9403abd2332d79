#pragma once
// Attention of one query over the keys and values of all positions before it, which are kept
// between calls.

#include <cstdint>

namespace freshet::kernels {

// Room for the positions [0, room) of one layer, in f32 or bf16. Keys stand in blocks of 16
// positions, entry by entry, [G, room/16, D, 16], so that 16 scores are sums of whole vectors;
// values [G, room, D up to a multiple of 16].
struct KvStore {
  int room = 0, kv_heads = 0, head_dim = 0;  // room: a multiple of 16
  bool bf16 = false;
  void* keys = nullptr;  // zeros before the first put(), as the values
  void* values = nullptr;
};
std::int64_t key_entries(const KvStore& store);
std::int64_t value_entries(const KvStore& store);

// k, v [D] of key/value head `g` at `position`.
void put(const KvStore& store, int g, int position, const float* k, const float* v);

// Queries [count, D] of heads that share key/value head g, all at one position, over the positions
// [begin, end).
struct CachedQueries {
  int g = 0, count = 0, begin = 0, end = 0;
  const float* q = nullptr;
  float* out = nullptr;      // [count, D]
  float* scratch = nullptr;  // cached_scratch(end) floats
};
std::int64_t cached_scratch(int end);
void cached_attention(const KvStore& store, const CachedQueries& queries);

}  // namespace freshet::kernels
