#pragma once
// The GGUF container of llama.cpp, versions 2 and 3, little-endian: named values, then tensors. The
// reader copies nothing and believes nothing: every count is compared with the bytes that are
// there, tensors must be aligned, apart from each other and inside the file.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/files.h"
#include "base/result.h"
#include "model/files/quantized_blocks.h"

namespace freshet {

enum class GgufType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kText,
  kArray,
  kU64,
  kI64,
  kF64,
};
std::string_view name_of(GgufType type);

// One value or an array of them, as bytes of the file that were checked to be whole.
struct GgufValue {
  GgufType type = GgufType::kU8;  // of an array: of its elements; never kArray
  bool is_array = false;
  std::uint64_t count = 1;  // 1 for a value that is no array
  ByteView bytes;
};

struct GgufTensor {
  std::string_view name;
  WeightType type = WeightType::kF32;
  std::vector<std::int64_t> shape;  // row-major: the file lists the dimensions the other way around
  ByteView bytes;
};

struct GgufFile {
  std::string source;  // the file in errors
  std::map<std::string_view, GgufValue, std::less<>> metadata;
  std::vector<GgufTensor> tensors;  // sorted by name

  const GgufTensor* find_tensor(std::string_view name) const;  // null where there is none
  bool has(std::string_view key) const { return metadata.contains(key); }

  // kBadInput that names the key where it is missing, of another kind or out of range. An integer
  // may have any width and sign, a number may be an integer.
  Result<std::int64_t> integer(std::string_view key) const;
  Result<double> number(std::string_view key) const;
  Result<bool> flag(std::string_view key) const;
  Result<std::string_view> text(std::string_view key) const;
  Result<std::vector<std::int64_t>> integers(std::string_view key) const;
  Result<std::vector<float>> numbers(std::string_view key) const;
  Result<std::vector<std::string_view>> texts(std::string_view key) const;

  tl::unexpected<Error> refuse(const std::string& what) const;  // kBadInput that names the file
};

// REQUIRES: `file` outlives what is returned.
Result<GgufFile> read_gguf(ByteView file, std::string_view source);

// Collects the head of a file, version 3, then takes the tensors' bytes in the order in which they
// were announced: a model of any size passes through without being held.
class GgufWriter {
 public:
  void put_u32(std::string_view key, std::uint32_t value);
  void put_i32(std::string_view key, std::int32_t value);
  void put_u64(std::string_view key, std::uint64_t value);
  void put_f32(std::string_view key, float value);
  void put_flag(std::string_view key, bool value);
  void put_text(std::string_view key, std::string_view value);
  void put_u32s(std::string_view key, std::span<const std::uint32_t> values);
  void put_i32s(std::string_view key, std::span<const std::int32_t> values);
  void put_f32s(std::string_view key, std::span<const float> values);
  void put_texts(std::string_view key, std::span<const std::string> values);

  // REQUIRES: rows of whole blocks, at most limits::kGgufDimensionsMax dimensions, names that
  // differ. Shape as in GgufTensor.
  void announce(std::string_view name, WeightType type, std::span<const std::int64_t> shape);

  // Creates `path` and writes the head; then one write_tensor() for each announced tensor, then
  // finish(). The file stands under its name only when finish() came back Ok.
  Result<void> start(const Path& path);
  Result<void> write_tensor(ByteView bytes);  // REQUIRES: as many as its type and shape need
  Result<void> finish();

  GgufWriter() = default;
  GgufWriter(const GgufWriter&) = delete;
  GgufWriter& operator=(const GgufWriter&) = delete;
  ~GgufWriter();  // removes what was not finished

 private:
  struct Announced {
    std::uint64_t offset, bytes;
  };
  void begin(std::string_view key, GgufType type);
  void begin_array(std::string_view key, GgufType type, std::size_t count);
  Bytes head() const;

  std::uint64_t values_ = 0;
  Bytes metadata_, infos_;
  std::vector<Announced> tensors_;
  std::uint64_t data_bytes_ = 0;

  Path path_, unfinished_;
  UniqueFd fd_;
  std::size_t next_ = 0;
};

}  // namespace freshet
