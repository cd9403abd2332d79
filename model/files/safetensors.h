#pragma once
// The safetensors format (huggingface/safetensors): u64 header length, a JSON header of names,
// types, shapes and byte ranges, then the bytes. The reader copies nothing and believes nothing:
// ranges must be aligned, in order, without overlap or hole, and end where the file ends. The
// writer gives the same bytes for the same tensors.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace freshet {

enum class Dtype : std::uint8_t {
  kBool,
  kU8,
  kI8,
  kF8E4M3,
  kF8E5M2,
  kU16,
  kI16,
  kF16,
  kBF16,
  kU32,
  kI32,
  kF32,
  kU64,
  kI64,
  kF64,
};
std::string_view name_of(Dtype dtype);
std::size_t size_of(Dtype dtype);

struct TensorView {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<std::int64_t> shape;
  ByteView bytes;  // row-major, little-endian, aligned to the size of one element within the file
  std::int64_t elements() const;
};

struct Safetensors {
  std::vector<TensorView> tensors;  // sorted by name; views into the file that was read
  std::map<std::string, std::string> metadata;

  const TensorView* find(std::string_view name) const;  // null where there is none
};

// `source` names the file in errors. REQUIRES: `file` outlives what is returned.
Result<Safetensors> read_safetensors(ByteView file, std::string_view source);

// Values of an F32, F16 or BF16 tensor; kBadInput for another type.
Result<std::vector<float>> to_f32(const TensorView& tensor);

// The nearest BF16, ties to even; not-a-number stays one.
std::uint16_t to_bf16(float value);

struct TensorToWrite {
  std::string name;
  std::vector<std::int64_t> shape;
  std::span<const float> values;
};

// A file with __metadata__ {"format": "pt"}. REQUIRES: dtype is F32 or BF16, names differ, shapes
// fit the values.
Bytes write_safetensors(std::span<const TensorToWrite> tensors, Dtype dtype);

}  // namespace freshet
