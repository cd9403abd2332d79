// What the metadata of a GGUF file says, in the kind that the caller asks for.

#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

#include "model/files/gguf.h"

namespace freshet {
namespace {

tl::unexpected<Error> refuse_key(const GgufFile& file, std::string_view key,
                                 const std::string& what) {
  return file.refuse("metadata \"" + std::string(key) + "\" " + what);
}

Result<const GgufValue*> find(const GgufFile& file, std::string_view key, bool array) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end())
    return refuse_key(file, key, "is missing; was the file made by a current llama.cpp?");
  if (found->second.is_array != array)
    return refuse_key(file, key, array ? "is no array" : "is an array");
  return &found->second;
}

template <class T>
T at(const GgufValue& value, std::uint64_t index) {
  T number;
  std::memcpy(&number, value.bytes.data() + index * sizeof number, sizeof number);
  return number;
}

std::optional<std::int64_t> integer_at(const GgufValue& value, std::uint64_t i) {
  switch (value.type) {
    case GgufType::kU8: return at<std::uint8_t>(value, i);
    case GgufType::kI8: return at<std::int8_t>(value, i);
    case GgufType::kU16: return at<std::uint16_t>(value, i);
    case GgufType::kI16: return at<std::int16_t>(value, i);
    case GgufType::kU32: return at<std::uint32_t>(value, i);
    case GgufType::kI32: return at<std::int32_t>(value, i);
    case GgufType::kI64: return at<std::int64_t>(value, i);
    case GgufType::kU64: {
      const auto wide = at<std::uint64_t>(value, i);
      if (wide > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return std::nullopt;
      return static_cast<std::int64_t>(wide);
    }
    default: return std::nullopt;
  }
}

std::optional<double> number_at(const GgufValue& value, std::uint64_t i) {
  if (value.type == GgufType::kF32) return at<float>(value, i);
  if (value.type == GgufType::kF64) return at<double>(value, i);
  const auto integer = integer_at(value, i);
  if (!integer) return std::nullopt;
  return static_cast<double>(*integer);
}

// The text at `bytes`, which goes on behind it. The reader checked the lengths.
std::string_view next_text(ByteView& bytes) {
  std::uint64_t length;
  std::memcpy(&length, bytes.data(), sizeof length);
  const ByteView text = bytes.subspan(sizeof length, length);
  bytes = bytes.subspan(sizeof length + length);
  return as_text(text);
}

std::string kind(const GgufValue& value, std::string_view wanted) {
  return "is " + std::string(name_of(value.type)) + ", not " + std::string(wanted) +
         ", or out of range";
}

}  // namespace

tl::unexpected<Error> GgufFile::refuse(const std::string& what) const {
  return fail(Code::kBadInput, source + ": " + what);
}

Result<std::int64_t> GgufFile::integer(std::string_view key) const {
  TRY_ASSIGN(const GgufValue* value, find(*this, key, false));
  const auto found = integer_at(*value, 0);
  if (!found) return refuse_key(*this, key, kind(*value, "an integer"));
  return *found;
}

Result<double> GgufFile::number(std::string_view key) const {
  TRY_ASSIGN(const GgufValue* value, find(*this, key, false));
  const auto found = number_at(*value, 0);
  if (!found) return refuse_key(*this, key, kind(*value, "a number"));
  return *found;
}

Result<bool> GgufFile::flag(std::string_view key) const {
  TRY_ASSIGN(const GgufValue* value, find(*this, key, false));
  if (value->type != GgufType::kBool) return refuse_key(*this, key, kind(*value, "a truth value"));
  return value->bytes.front() != 0;
}

Result<std::string_view> GgufFile::text(std::string_view key) const {
  TRY_ASSIGN(const GgufValue* value, find(*this, key, false));
  if (value->type != GgufType::kText) return refuse_key(*this, key, kind(*value, "a text"));
  ByteView bytes = value->bytes;
  return next_text(bytes);
}

Result<std::vector<std::int64_t>> GgufFile::integers(std::string_view key) const {
  TRY_ASSIGN(const GgufValue* value, find(*this, key, true));
  std::vector<std::int64_t> list;
  for (std::uint64_t i = 0; i < value->count; ++i) {
    const auto found = integer_at(*value, i);
    if (!found) return refuse_key(*this, key, kind(*value, "integers"));
    list.push_back(*found);
  }
  return list;
}

Result<std::vector<float>> GgufFile::numbers(std::string_view key) const {
  TRY_ASSIGN(const GgufValue* value, find(*this, key, true));
  std::vector<float> list;
  for (std::uint64_t i = 0; i < value->count; ++i) {
    const auto found = number_at(*value, i);
    if (!found) return refuse_key(*this, key, kind(*value, "numbers"));
    list.push_back(static_cast<float>(*found));
  }
  return list;
}

Result<std::vector<std::string_view>> GgufFile::texts(std::string_view key) const {
  TRY_ASSIGN(const GgufValue* value, find(*this, key, true));
  if (value->type != GgufType::kText) return refuse_key(*this, key, kind(*value, "texts"));
  std::vector<std::string_view> list;
  ByteView bytes = value->bytes;
  for (std::uint64_t i = 0; i < value->count; ++i) list.push_back(next_text(bytes));
  return list;
}

}  // namespace freshet
