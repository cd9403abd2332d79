#pragma once
// The number formats of weights on disk: plain ones, and those of llama.cpp that share a scale
// among the values of a block. Dequantised values are bit for bit those of the gguf package.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace freshet {

enum class WeightType : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ4_K,
  kQ5_K,
  kQ6_K,
};
inline bool is_plain(WeightType type) {  // one number a value, no blocks
  return type == WeightType::kF32 || type == WeightType::kF16 || type == WeightType::kBF16;
}
inline constexpr std::size_t kWeightTypes = 11;

struct BlockFacts {
  std::string_view name;  // as llama.cpp writes it
  std::uint32_t ggml;     // its number in a GGUF file
  std::size_t elements, bytes;
};
const BlockFacts& block_of(WeightType type);
std::optional<WeightType> weight_type_of_ggml(std::uint32_t number);

// Every value of `blocks`. REQUIRES: whole blocks; `out` has room for their values.
void dequantize(WeightType type, ByteView blocks, float* out);

// Scale and 32 signed bytes for every 32 values, as the gguf package quantises (halves round away
// from zero). REQUIRES: values.size() is a multiple of 32.
void quantize_q8_0(std::span<const float> values, std::uint8_t* out);

// The nearest F16, ties to even; too large becomes infinity.
std::uint16_t to_f16(float value);

}  // namespace freshet
