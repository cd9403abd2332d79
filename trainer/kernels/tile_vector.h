#pragma once
// Included by tile_loops.h alone: the vector of an instruction set, and rounding to bf16 with it.

#include <cstring>

#include "trainer/kernels/tile.h"

namespace freshet::kernels {
namespace {

constexpr int kLanes = FRESHET_TILE_LANES, kTileRows = FRESHET_TILE_ROWS;
constexpr int kPanelVectors = FRESHET_TILE_VECTORS;
typedef float Vector __attribute__((vector_size(4 * kLanes)));
typedef float LooseVector __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

#define FRESHET_INLINE inline __attribute__((always_inline))

FRESHET_INLINE Vector load(const float* at) { return *reinterpret_cast<const LooseVector*>(at); }
FRESHET_INLINE void store(float* at, Vector v) { *reinterpret_cast<LooseVector*>(at) = v; }

FRESHET_INLINE std::uint16_t round_bf16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const std::uint32_t nan = (bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x400000u : 0u;
  return static_cast<std::uint16_t>(((nan ? bits | nan : bits + 0x7FFFu + (bits >> 16 & 1u))) >>
                                    16);
}

void to_bf16_loop(std::int64_t count, const float* values, std::uint16_t* out) {
  std::int64_t i = 0;
#if defined(__AVX512BF16__)
  for (; i + 32 <= count; i += 32) {
    const __m512bh packed =
        _mm512_cvtne2ps_pbh(_mm512_loadu_ps(values + i + 16), _mm512_loadu_ps(values + i));
    std::memcpy(out + i, &packed, 64);
  }
#endif
  for (; i < count; ++i) out[i] = round_bf16(values[i]);
}

}  // namespace
}  // namespace freshet::kernels
