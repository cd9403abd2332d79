#include "model/files/quantized_blocks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace freshet {
namespace {

constexpr std::array<BlockFacts, kWeightTypes> kBlocks = {{
    {"F32", 0, 1, 4},
    {"F16", 1, 1, 2},
    {"BF16", 30, 1, 2},
    {"Q8_0", 8, 32, 34},
    {"Q4_0", 2, 32, 18},
    {"Q4_1", 3, 32, 20},
    {"Q5_0", 6, 32, 22},
    {"Q5_1", 7, 32, 24},
    {"Q4_K", 12, 256, 144},
    {"Q5_K", 13, 256, 176},
    {"Q6_K", 14, 256, 210},
}};

// Branch-free: normal numbers, infinities and subnormals each by its own arithmetic, then chosen by
// masks of sign bits.
inline float from_f16(std::uint16_t half) {
  const std::int32_t magnitude = (half & 0x7FFF) << 13;
  const std::int32_t sign = static_cast<std::int16_t>(half) & INT32_MIN;
  const std::int32_t is_subnormal = (magnitude - (1 << 23)) >> 31;
  const std::int32_t is_finite = (magnitude - (31 << 23)) >> 31;
  const auto subnormal = std::bit_cast<std::int32_t>(std::bit_cast<float>(magnitude + (113 << 23)) -
                                                     std::bit_cast<float>(113 << 23));
  const std::int32_t normal = magnitude + (112 << 23) + (~is_finite & (112 << 23));
  return std::bit_cast<float>((subnormal & is_subnormal) | (normal & ~is_subnormal) | sign);
}

inline float from_bf16(std::uint16_t half) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16);
}

inline std::uint16_t u16_at(const std::uint8_t* bytes) {
  std::uint16_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}
inline float f16_at(const std::uint8_t* bytes) { return from_f16(u16_at(bytes)); }

// A run of `values` where 32 low halves of bytes come first and their high halves after.
inline void q4_0(const std::uint8_t* block, float* __restrict out) {
  const float scale = f16_at(block);
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>((block[2 + i] & 15) - 8);
    out[16 + i] = scale * static_cast<float>((block[2 + i] >> 4) - 8);
  }
}

inline void q4_1(const std::uint8_t* block, float* __restrict out) {
  const float scale = f16_at(block), least = f16_at(block + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>(block[4 + i] & 15) + least;
    out[16 + i] = scale * static_cast<float>(block[4 + i] >> 4) + least;
  }
}

// The fifth bits of 32 values, each in the place of a 16.
inline std::array<std::uint8_t, 32> fifth_bits(const std::uint8_t* bytes) {
  std::uint32_t high;
  std::memcpy(&high, bytes, sizeof high);
  std::array<std::uint8_t, 32> bits{};
  for (unsigned i = 0; i < 32; ++i) bits[i] = static_cast<std::uint8_t>((high >> i & 1) << 4);
  return bits;
}

inline void q5_0(const std::uint8_t* block, float* __restrict out) {
  const float scale = f16_at(block);
  const auto high = fifth_bits(block + 2);
  for (std::size_t i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>(((block[6 + i] & 15) | high[i]) - 16);
    out[16 + i] = scale * static_cast<float>(((block[6 + i] >> 4) | high[16 + i]) - 16);
  }
}

inline void q5_1(const std::uint8_t* block, float* __restrict out) {
  const float scale = f16_at(block), least = f16_at(block + 2);
  const auto high = fifth_bits(block + 4);
  for (std::size_t i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>((block[8 + i] & 15) | high[i]) + least;
    out[16 + i] = scale * static_cast<float>((block[8 + i] >> 4) | high[16 + i]) + least;
  }
}

inline void q8_0(const std::uint8_t* block, float* __restrict out) {
  const float scale = f16_at(block);
  for (int i = 0; i < 32; ++i)
    out[i] = scale * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
}

// Q4_K and Q5_K: eight groups of 32 values, each with a scale and a least value of 6 bits, packed
// into 12 bytes and multiplied by two F16 at the start of the block.
struct Groups {
  std::array<float, 8> scale, least;
};
inline Groups groups_of(const std::uint8_t* block) {
  const float scale = f16_at(block), least = f16_at(block + 2);
  const std::uint8_t* s = block + 4;
  Groups groups{};
  for (std::size_t i = 0; i < 4; ++i) {
    groups.scale[i] = scale * static_cast<float>(s[i] & 63);
    groups.least[i] = least * static_cast<float>(s[i + 4] & 63);
    groups.scale[i + 4] = scale * static_cast<float>((s[i + 8] & 15) | (s[i] >> 6 << 4));
    groups.least[i + 4] = least * static_cast<float>((s[i + 8] >> 4) | (s[i + 4] >> 6 << 4));
  }
  return groups;
}

inline void q4_k(const std::uint8_t* block, float* __restrict out) {
  const Groups groups = groups_of(block);
  for (std::size_t pair = 0; pair < 4; ++pair) {
    const std::uint8_t* q = block + 16 + 32 * pair;
    const std::size_t low = 2 * pair, high = low + 1;
    for (std::size_t i = 0; i < 32; ++i)
      out[32 * low + i] = groups.scale[low] * static_cast<float>(q[i] & 15) - groups.least[low];
    for (std::size_t i = 0; i < 32; ++i)
      out[32 * high + i] = groups.scale[high] * static_cast<float>(q[i] >> 4) - groups.least[high];
  }
}

inline void q5_k(const std::uint8_t* block, float* __restrict out) {
  const Groups groups = groups_of(block);
  const std::uint8_t* fifth = block + 16;  // bit g of byte i: of value i in group g
  for (std::size_t pair = 0; pair < 4; ++pair) {
    const std::uint8_t* q = block + 48 + 32 * pair;
    const std::size_t low = 2 * pair, high = low + 1;
    for (std::size_t i = 0; i < 32; ++i) {
      const int value = (q[i] & 15) | (fifth[i] >> low & 1) << 4;
      out[32 * low + i] = groups.scale[low] * static_cast<float>(value) - groups.least[low];
    }
    for (std::size_t i = 0; i < 32; ++i) {
      const int value = (q[i] >> 4) | (fifth[i] >> high & 1) << 4;
      out[32 * high + i] = groups.scale[high] * static_cast<float>(value) - groups.least[high];
    }
  }
}

// Two halves of 128 values; in each, four rows of 32 share bytes, and every 16 values a scale.
inline void q6_k(const std::uint8_t* block, float* __restrict out) {
  const float scale = f16_at(block + 208);
  for (std::size_t half = 0; half < 2; ++half) {
    const std::uint8_t *low = block + 64 * half, *high = block + 128 + 32 * half;
    for (std::size_t row = 0; row < 4; ++row) {
      const std::uint8_t *nibbles = low + 32 * (row & 1), *scales = block + 192 + 8 * half;
      for (std::size_t part = 0; part < 2; ++part) {
        const float d =
            scale * static_cast<float>(static_cast<std::int8_t>(scales[2 * row + part]));
        for (std::size_t i = 16 * part; i < 16 * part + 16; ++i) {
          const int value = (nibbles[i] >> (row & 2) * 2 & 15) | (high[i] >> 2 * row & 3) << 4;
          out[128 * half + 32 * row + i] = d * static_cast<float>(value - 32);
        }
      }
    }
  }
}

// In runs of a fixed length, which the compiler turns into vectors.
template <class Convert>
void each_half(ByteView halves, float* __restrict out, Convert convert) {
  constexpr std::size_t kRun = 32;
  const std::uint8_t* bytes = halves.data();
  const std::size_t count = halves.size() / 2;
  std::size_t i = 0;
  for (; i + kRun <= count; i += kRun)
    for (std::size_t k = 0; k < kRun; ++k) out[i + k] = convert(u16_at(bytes + 2 * (i + k)));
  for (; i < count; ++i) out[i] = convert(u16_at(bytes + 2 * i));
}

template <class Unpack>
void each_block(const BlockFacts& facts, ByteView blocks, float* out, Unpack unpack) {
  const std::size_t count = blocks.size() / facts.bytes;
  for (std::size_t b = 0; b < count; ++b)
    unpack(blocks.data() + b * facts.bytes, out + b * facts.elements);
}

}  // namespace

const BlockFacts& block_of(WeightType type) { return kBlocks[static_cast<std::size_t>(type)]; }

std::optional<WeightType> weight_type_of_ggml(std::uint32_t number) {
  for (std::size_t i = 0; i < kBlocks.size(); ++i)
    if (kBlocks[i].ggml == number) return static_cast<WeightType>(i);
  return std::nullopt;
}

void dequantize(WeightType type, ByteView blocks, float* out) {
  const BlockFacts& facts = block_of(type);
  CHECK(blocks.size() % facts.bytes == 0, "{} bytes of {}", blocks.size(), facts.name);
  switch (type) {
    case WeightType::kF32:
      if (!blocks.empty()) std::memcpy(out, blocks.data(), blocks.size());
      return;
    case WeightType::kF16: return each_half(blocks, out, from_f16);
    case WeightType::kBF16: return each_half(blocks, out, from_bf16);
    case WeightType::kQ8_0: return each_block(facts, blocks, out, q8_0);
    case WeightType::kQ4_0: return each_block(facts, blocks, out, q4_0);
    case WeightType::kQ4_1: return each_block(facts, blocks, out, q4_1);
    case WeightType::kQ5_0: return each_block(facts, blocks, out, q5_0);
    case WeightType::kQ5_1: return each_block(facts, blocks, out, q5_1);
    case WeightType::kQ4_K: return each_block(facts, blocks, out, q4_k);
    case WeightType::kQ5_K: return each_block(facts, blocks, out, q5_k);
    case WeightType::kQ6_K: return each_block(facts, blocks, out, q6_k);
  }
}

std::uint16_t to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u);
  if (magnitude >= 0x477FF000u) return static_cast<std::uint16_t>(sign | 0x7C00u);
  if (magnitude < 0x38800000u) {  // subnormal: the sum rounds at the last bit that F16 has
    const float sum = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(sum) - 0x3F000000u));
  }
  const std::uint32_t rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1) - (112u << 23);
  return static_cast<std::uint16_t>(sign | rounded >> 13);
}

void quantize_q8_0(std::span<const float> values, std::uint8_t* out) {
  CHECK(values.size() % 32 == 0, "{}", values.size());
  for (std::size_t b = 0; b < values.size() / 32; ++b, out += 34) {
    const float* block = values.data() + 32 * b;
    float largest = 0;
    for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(block[i]));
    const float scale = largest / 127, inverse = scale == 0 ? 0 : 1 / scale;
    const std::uint16_t half = to_f16(scale);
    std::memcpy(out, &half, sizeof half);
    for (int i = 0; i < 32; ++i) {
      const auto rounded = static_cast<std::int8_t>(std::lround(block[i] * inverse));
      std::memcpy(out + 2 + i, &rounded, 1);
    }
  }
}

}  // namespace freshet
