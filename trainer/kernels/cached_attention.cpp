#include "trainer/kernels/cached_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "trainer/kernels/matrix.h"
#include "trainer/kernels/simd.h"

namespace freshet::kernels {
namespace {

constexpr int kLanes = 16;
constexpr int kTogether = 4;  // queries that share what is read
typedef float Lanes __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
typedef std::uint32_t Words __attribute__((vector_size(kLanes * 4)));
typedef std::uint16_t Halves __attribute__((vector_size(kLanes * 2), aligned(2), may_alias));

#define FRESHET_INLINE inline __attribute__((always_inline))

int padded(int count) { return (count + kLanes - 1) / kLanes * kLanes; }

FRESHET_INLINE void read(const float* at, Lanes& out) { out = *reinterpret_cast<const Lanes*>(at); }
FRESHET_INLINE void read(const std::uint16_t* at, Lanes& out) {
  const Words bits = __builtin_convertvector(*reinterpret_cast<const Halves*>(at), Words) << 16;
  std::memcpy(&out, &bits, sizeof out);
}

// scores[r][t] = q[r] . k[t] for whole blocks of positions.
template <int Q, class Stored>
FRESHET_INLINE void score(int dim, int first_block, int blocks, const Stored* keys, const float* q,
                          float* scores, int wide) {
  for (int b = 0; b < blocks; ++b) {
    const Stored* block = keys + static_cast<std::int64_t>(first_block + b) * dim * kLanes;
    Lanes even[Q] = {}, odd[Q] = {};
    int d = 0;
    for (; d + 2 <= dim; d += 2) {
      Lanes one, two;
      read(block + d * kLanes, one);
      read(block + (d + 1) * kLanes, two);
      for (int r = 0; r < Q; ++r) {
        even[r] += one * q[r * dim + d];
        odd[r] += two * q[r * dim + d + 1];
      }
    }
    for (; d < dim; ++d) {
      Lanes one;
      read(block + d * kLanes, one);
      for (int r = 0; r < Q; ++r) even[r] += one * q[r * dim + d];
    }
    for (int r = 0; r < Q; ++r)
      *reinterpret_cast<Lanes*>(scores + r * wide + b * kLanes) = even[r] + odd[r];
  }
}

// out[r] = sum_t weights[r][t] v[t] * factor[r]
template <int Q, class Stored>
FRESHET_INLINE void mix(int dim, int count, const Stored* values, const float* weights, int wide,
                        const float* factor, float* out) {
  const int row = (dim + kLanes - 1) / kLanes * kLanes;
  for (int d = 0; d < dim; d += kLanes) {
    Lanes even[Q] = {}, odd[Q] = {};
    int t = 0;
    for (; t + 2 <= count; t += 2) {
      Lanes one, two;
      read(values + static_cast<std::int64_t>(t) * row + d, one);
      read(values + static_cast<std::int64_t>(t + 1) * row + d, two);
      for (int r = 0; r < Q; ++r) {
        even[r] += one * weights[r * wide + t];
        odd[r] += two * weights[r * wide + t + 1];
      }
    }
    for (; t < count; ++t) {
      Lanes one;
      read(values + static_cast<std::int64_t>(t) * row + d, one);
      for (int r = 0; r < Q; ++r) even[r] += one * weights[r * wide + t];
    }
    for (int r = 0; r < Q; ++r) {
      float sums[kLanes];
      *reinterpret_cast<Lanes*>(sums) = (even[r] + odd[r]) * factor[r];
      for (int i = 0; i < kLanes && d + i < dim; ++i) out[r * dim + d + i] = sums[i];
    }
  }
}

template <int Q, class Stored>
FRESHET_INLINE void attend(const KvStore& store, const CachedQueries& queries, int first) {
  const int dim = store.head_dim, row = (dim + kLanes - 1) / kLanes * kLanes;
  const int block = queries.begin / kLanes, blocks = (queries.end + kLanes - 1) / kLanes - block;
  const int skip = queries.begin - block * kLanes, end = queries.end - block * kLanes,
            wide = blocks * kLanes;
  const auto* keys = static_cast<const Stored*>(store.keys) +
                     static_cast<std::int64_t>(queries.g) * store.room * dim;
  const auto* values = static_cast<const Stored*>(store.values) +
                       (static_cast<std::int64_t>(queries.g) * store.room + queries.begin) * row;
  float* scores = queries.scratch;
  score<Q>(dim, block, blocks, keys, queries.q + first * dim, scores, wide);
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  float factor[Q];
  for (int r = 0; r < Q; ++r) {
    float* of = scores + r * wide;
    float highest = of[skip];
    for (int t = skip + 1; t < end; ++t) highest = std::max(highest, of[t]);
    float sum = 0;
    for (int t = skip; t < end; ++t) {
      of[t] = std::exp((of[t] - highest) * scale);
      sum += of[t];
    }
    factor[r] = 1.0f / sum;
  }
  mix<Q>(dim, end - skip, values, scores + skip, wide, factor, queries.out + first * dim);
}

template <class Stored>
FRESHET_INLINE void attend_all(const KvStore& store, const CachedQueries& queries) {
  int first = 0;
  for (; first + kTogether <= queries.count; first += kTogether)
    attend<kTogether, Stored>(store, queries, first);
  switch (queries.count - first) {
    case 3: return attend<3, Stored>(store, queries, first);
    case 2: return attend<2, Stored>(store, queries, first);
    case 1: return attend<1, Stored>(store, queries, first);
    default: return;
  }
}

FRESHET_SIMD void attend_f32(const KvStore& store, const CachedQueries& queries) {
  attend_all<float>(store, queries);
}
FRESHET_SIMD void attend_bf16(const KvStore& store, const CachedQueries& queries) {
  attend_all<std::uint16_t>(store, queries);
}

template <class Stored>
void put_as(const KvStore& store, int g, int position, const Stored* k, const Stored* v) {
  const int dim = store.head_dim;
  auto* key = static_cast<Stored*>(store.keys) +
              (static_cast<std::int64_t>(g) * store.room + position / kLanes * kLanes) * dim +
              position % kLanes;
  for (int d = 0; d < dim; ++d) key[static_cast<std::int64_t>(d) * kLanes] = k[d];
  auto* value = static_cast<Stored*>(store.values) +
                (static_cast<std::int64_t>(g) * store.room + position) * padded(dim);
  std::memcpy(value, v, static_cast<std::size_t>(dim) * sizeof(Stored));
}

}  // namespace

std::int64_t key_entries(const KvStore& store) {
  return std::int64_t{store.kv_heads} * store.room * store.head_dim;
}
std::int64_t value_entries(const KvStore& store) {
  return std::int64_t{store.kv_heads} * store.room * padded(store.head_dim);
}

void put(const KvStore& store, int g, int position, const float* k, const float* v) {
  if (!store.bf16) return put_as(store, g, position, k, v);
  constexpr int kPiece = 256;
  std::uint16_t halves[2][kPiece];
  if (store.head_dim <= kPiece) {
    to_bf16(store.head_dim, k, halves[0]);
    to_bf16(store.head_dim, v, halves[1]);
    return put_as(store, g, position, halves[0], halves[1]);
  }
  std::uint16_t* wide = new std::uint16_t[2 * static_cast<std::size_t>(store.head_dim)];
  to_bf16(store.head_dim, k, wide);
  to_bf16(store.head_dim, v, wide + store.head_dim);
  put_as(store, g, position, wide, wide + store.head_dim);
  delete[] wide;
}

std::int64_t cached_scratch(int end) { return std::int64_t{kTogether} * (padded(end) + kLanes); }

void cached_attention(const KvStore& store, const CachedQueries& queries) {
  store.bf16 ? attend_bf16(store, queries) : attend_f32(store, queries);
}

}  // namespace freshet::kernels
