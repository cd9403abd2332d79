#include "model/files/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <set>

#include "base/check.h"
#include "base/json.h"
#include "base/limits.h"
#include "model/files/quantized_blocks.h"

namespace freshet {
namespace {

struct DtypeFacts {
  Dtype dtype;
  std::string_view name;
  std::size_t size;
};
constexpr std::array<DtypeFacts, 15> kDtypes = {{
    {Dtype::kBool, "BOOL", 1},
    {Dtype::kU8, "U8", 1},
    {Dtype::kI8, "I8", 1},
    {Dtype::kF8E4M3, "F8_E4M3", 1},
    {Dtype::kF8E5M2, "F8_E5M2", 1},
    {Dtype::kU16, "U16", 2},
    {Dtype::kI16, "I16", 2},
    {Dtype::kF16, "F16", 2},
    {Dtype::kBF16, "BF16", 2},
    {Dtype::kU32, "U32", 4},
    {Dtype::kI32, "I32", 4},
    {Dtype::kF32, "F32", 4},
    {Dtype::kU64, "U64", 8},
    {Dtype::kI64, "I64", 8},
    {Dtype::kF64, "F64", 8},
}};
const DtypeFacts& facts_of(Dtype dtype) { return kDtypes[static_cast<std::size_t>(dtype)]; }

using SortedJson =
    nlohmann::json;  // the header of a large model has thousands of keys: lookup must not be linear

// The header's object, with names that stand twice and deep nesting refused while it is read.
Result<SortedJson> parse_header(std::string_view text, std::string_view source) {
  std::set<std::string> names;
  std::string twice;
  int deepest = 0;
  auto watch = [&](int depth, SortedJson::parse_event_t event, SortedJson& value) {
    deepest = std::max(deepest, depth);
    if (depth > 4) return false;
    if (event == SortedJson::parse_event_t::key && depth == 1 &&
        !names.insert(value.get<std::string>()).second)
      twice = value.get<std::string>();
    return true;
  };
  try {
    SortedJson header = SortedJson::parse(text, watch);
    if (deepest > 4 || !header.is_object())
      return fail(Code::kBadInput,
                  std::string(source) + ": the safetensors header is not an object of tensors");
    if (!twice.empty())
      return fail(Code::kBadInput,
                  std::string(source) + ": tensor \"" + twice + "\" stands twice in the header");
    return header;
  } catch (const SortedJson::exception& error) {
    return fail(Code::kBadInput, std::string(source) +
                                     ": the safetensors header is not valid JSON (" +
                                     json_fault(error, text.size()) +
                                     "); the file is damaged or not a safetensors file");
  }
}

Result<std::uint64_t> unsigned_of(const SortedJson& value, const std::string& what) {
  if (!value.is_number_unsigned())
    return fail(Code::kBadInput, what + " is not a non-negative integer");
  return value.get<std::uint64_t>();
}

Result<Dtype> dtype_of(const SortedJson& value, const std::string& where) {
  if (value.is_string())
    for (const DtypeFacts& facts : kDtypes)
      if (facts.name == value.get_ref<const std::string&>()) return facts.dtype;
  return fail(Code::kBadInput, where + " has an unknown dtype " +
                                   value.dump(-1, ' ', true, SortedJson::error_handler_t::replace));
}

struct Range {
  std::uint64_t begin, end;
};

// One entry of the header, checked on its own; `data` is the part of the file after the header.
Result<TensorView> read_entry(const std::string& name, const SortedJson& entry, ByteView data,
                              std::string_view source) {
  const std::string where = std::string(source) + ": tensor \"" + name + "\"";
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets"))
    return fail(Code::kBadInput, where + " lacks dtype, shape or data_offsets");
  TensorView tensor;
  tensor.name = name;
  TRY_ASSIGN(tensor.dtype, dtype_of(entry["dtype"], where));

  const SortedJson& shape = entry["shape"];
  if (!shape.is_array() || shape.size() > limits::kTensorDimensionsMax)
    return fail(Code::kBadInput, where + " has a shape that is not a short list");
  std::uint64_t bytes = size_of(tensor.dtype);
  for (const SortedJson& dimension : shape) {
    TRY_ASSIGN(const std::uint64_t length, unsigned_of(dimension, where + ": a dimension"));
    if (length > limits::kTensorBytesMax || __builtin_mul_overflow(bytes, length, &bytes) ||
        bytes > limits::kTensorBytesMax)
      return fail(Code::kBadInput, where + " has a shape that is larger than any file");
    tensor.shape.push_back(static_cast<std::int64_t>(length));
  }

  const SortedJson& offsets = entry["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2)
    return fail(Code::kBadInput, where + ": data_offsets is not a pair");
  TRY_ASSIGN(const std::uint64_t begin, unsigned_of(offsets[0], where + ": a data offset"));
  TRY_ASSIGN(const std::uint64_t end, unsigned_of(offsets[1], where + ": a data offset"));
  if (begin > end || end > data.size())
    return fail(Code::kBadInput, where + " lies outside the file (bytes " + std::to_string(begin) +
                                     " to " + std::to_string(end) + " of " +
                                     std::to_string(data.size()) +
                                     "); the file is truncated or damaged: fetch it again");
  if (end - begin != bytes)
    return fail(Code::kBadInput, where + " has " + std::to_string(end - begin) +
                                     " bytes where its shape needs " + std::to_string(bytes));
  tensor.bytes = data.subspan(begin, bytes);
  return tensor;
}

// Every byte of the data belongs to exactly one tensor.
Result<void> check_ranges(const std::vector<TensorView>& tensors, ByteView data,
                          std::string_view source) {
  std::vector<Range> ranges;
  for (const TensorView& tensor : tensors) {
    const auto begin = static_cast<std::uint64_t>(tensor.bytes.data() - data.data());
    ranges.push_back({begin, begin + tensor.bytes.size()});
  }
  std::sort(ranges.begin(), ranges.end(), [](Range a, Range b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t at = 0;
  for (const Range& range : ranges) {
    if (range.begin != at)
      return fail(Code::kBadInput, std::string(source) + ": tensors " +
                                       (range.begin < at ? "overlap" : "leave a hole") +
                                       " at byte " + std::to_string(std::min(at, range.begin)));
    at = range.end;
  }
  if (at != data.size())
    return fail(Code::kBadInput, std::string(source) + ": " + std::to_string(data.size() - at) +
                                     " bytes after the last tensor");
  return {};
}

}  // namespace

std::string_view name_of(Dtype dtype) { return facts_of(dtype).name; }
std::size_t size_of(Dtype dtype) { return facts_of(dtype).size; }

std::int64_t TensorView::elements() const {
  return static_cast<std::int64_t>(bytes.size() / size_of(dtype));
}

const TensorView* Safetensors::find(std::string_view name) const {
  auto found = std::lower_bound(
      tensors.begin(), tensors.end(), name,
      [](const TensorView& tensor, std::string_view key) { return tensor.name < key; });
  return found != tensors.end() && found->name == name ? &*found : nullptr;
}

Result<Safetensors> read_safetensors(ByteView file, std::string_view source) {
  std::uint64_t header_bytes = 0;
  if (file.size() < sizeof header_bytes)
    return fail(Code::kBadInput, std::string(source) + ": " + std::to_string(file.size()) +
                                     " bytes are too few for a safetensors file; fetch it again");
  std::memcpy(&header_bytes, file.data(), sizeof header_bytes);
  if (header_bytes > limits::kSafetensorsHeaderBytesMax)
    return fail(Code::kBadInput, std::string(source) + ": a header of " +
                                     std::to_string(header_bytes) +
                                     " bytes; the file is damaged or not a safetensors file");
  if (header_bytes > file.size() - sizeof header_bytes)
    return fail(
        Code::kBadInput,
        std::string(source) + ": the file ends inside its header; it is truncated: fetch it again");

  TRY_ASSIGN(const SortedJson header,
             parse_header(as_text(file.subspan(sizeof header_bytes, header_bytes)), source));
  const ByteView data = file.subspan(sizeof header_bytes + header_bytes);
  Safetensors result;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object())
        return fail(Code::kBadInput, std::string(source) + ": __metadata__ is not an object");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string())
          return fail(Code::kBadInput,
                      std::string(source) + ": __metadata__ holds something other than text");
        result.metadata[key] = value.get<std::string>();
      }
      continue;
    }
    TRY_ASSIGN(TensorView tensor, read_entry(name, entry, data, source));
    if ((sizeof header_bytes + header_bytes +
         static_cast<std::size_t>(tensor.bytes.data() - data.data())) %
            size_of(tensor.dtype) !=
        0)
      return fail(Code::kBadInput, std::string(source) + ": tensor \"" + name +
                                       "\" is not aligned to its element size; save the file again "
                                       "with a current safetensors");
    result.tensors.push_back(std::move(tensor));
  }
  TRY(check_ranges(result.tensors, data, source));
  return result;
}

Result<std::vector<float>> to_f32(const TensorView& tensor) {
  WeightType type = WeightType::kF32;
  if (tensor.dtype == Dtype::kF16)
    type = WeightType::kF16;
  else if (tensor.dtype == Dtype::kBF16)
    type = WeightType::kBF16;
  else if (tensor.dtype != Dtype::kF32)
    return fail(Code::kBadInput, "tensor \"" + tensor.name + "\" is " +
                                     std::string(name_of(tensor.dtype)) +
                                     "; only F32, F16 and BF16 are read as numbers");
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  dequantize(type, tensor.bytes, values.data());
  return values;
}

std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

Bytes write_safetensors(std::span<const TensorToWrite> tensors, Dtype dtype) {
  CHECK(dtype == Dtype::kF32 || dtype == Dtype::kBF16, "{}", name_of(dtype));
  std::map<std::string_view, const TensorToWrite*> sorted;
  for (const TensorToWrite& tensor : tensors)
    CHECK(sorted.emplace(tensor.name, &tensor).second, "{} twice", tensor.name);

  SortedJson header = {{"__metadata__", {{"format", "pt"}}}};
  std::size_t at = 0;
  for (const auto& [name, tensor] : sorted) {
    std::size_t elements = 1;
    for (std::int64_t length : tensor->shape) elements *= static_cast<std::size_t>(length);
    CHECK(elements == tensor->values.size(), "{}: shape of {}, {} values", name, elements,
          tensor->values.size());
    const std::size_t end = at + elements * size_of(dtype);
    header[std::string(name)] = {
        {"dtype", name_of(dtype)}, {"shape", tensor->shape}, {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');

  Bytes file(8 + text.size() + at);
  const std::uint64_t header_bytes = text.size();
  std::memcpy(file.data(), &header_bytes, sizeof header_bytes);
  std::memcpy(file.data() + 8, text.data(), text.size());
  std::uint8_t* out = file.data() + 8 + text.size();
  for (const auto& [name, tensor] : sorted) {
    for (float value : tensor->values) {
      const auto bits = dtype == Dtype::kF32 ? std::bit_cast<std::uint32_t>(value) : to_bf16(value);
      std::memcpy(out, &bits, size_of(dtype));  // little-endian: the low bytes first
      out += size_of(dtype);
    }
  }
  return file;
}

}  // namespace freshet
