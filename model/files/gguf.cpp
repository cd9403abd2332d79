#include "model/files/gguf.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/limits.h"

namespace freshet {
namespace {

struct TypeFacts {
  std::string_view name;
  std::size_t bytes;  // 0: as many as each value says
};
constexpr std::array<TypeFacts, 13> kTypes = {{{"uint8", 1},
                                               {"int8", 1},
                                               {"uint16", 2},
                                               {"int16", 2},
                                               {"uint32", 4},
                                               {"int32", 4},
                                               {"float32", 4},
                                               {"bool", 1},
                                               {"string", 0},
                                               {"array", 0},
                                               {"uint64", 8},
                                               {"int64", 8},
                                               {"float64", 8}}};

// Formats that llama.cpp writes and Freshet does not read, by their numbers.
constexpr std::pair<std::uint32_t, std::string_view> kUnread[] = {
    {10, "Q2_K"},    {11, "Q3_K"},  {15, "Q8_K"},   {16, "IQ2_XXS"}, {17, "IQ2_XS"},
    {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"},   {22, "IQ2_S"},
    {23, "IQ4_XS"},  {24, "I8"},    {25, "I16"},    {26, "I32"},     {27, "I64"},
    {28, "F64"},     {29, "IQ1_M"}, {34, "TQ1_0"},  {35, "TQ2_0"},   {39, "MXFP4"}};

std::string type_name(std::uint32_t ggml) {
  for (const auto& [number, name] : kUnread)
    if (number == ggml) return std::string(name);
  return "of an unknown type (" + std::to_string(ggml) + ")";
}

// A name of the file in a message.
std::string quoted(std::string_view name) {
  std::string text(name.substr(0, 100));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  return "\"" + text + "\"";
}

class Reader {
 public:
  Reader(ByteView file, std::string_view source) : file_(file), source_(source) {}

  tl::unexpected<Error> refuse(const std::string& what) const {
    return fail(Code::kBadInput, std::string(source_) + ": " + what);
  }
  std::size_t left() const { return file_.size() - at_; }
  std::size_t at() const { return at_; }

  Result<ByteView> take(std::uint64_t bytes, const std::string& what) {
    if (bytes > left())
      return refuse("the file ends inside " + what +
                    "; it is truncated or damaged: fetch it again");
    const ByteView taken = file_.subspan(at_, bytes);
    at_ += bytes;
    return taken;
  }

  template <class T>
  Result<T> take_number(const std::string& what) {
    TRY_ASSIGN(const ByteView bytes, take(sizeof(T), what));
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

  Result<std::string_view> take_text(const std::string& what) {
    TRY_ASSIGN(const auto bytes, take_number<std::uint64_t>(what));
    TRY_ASSIGN(const ByteView text, take(bytes, what));
    return as_text(text);
  }

  Result<GgufValue> take_value(const std::string& what) {
    GgufValue value;
    TRY_ASSIGN(value.type, take_type(what));
    if (value.type == GgufType::kArray) {
      value.is_array = true;
      TRY_ASSIGN(value.type, take_type(what));
      if (value.type == GgufType::kArray)
        return refuse(what + " is an array of arrays, which is not read");
      TRY_ASSIGN(value.count, take_number<std::uint64_t>(what));
    }
    const std::size_t each = kTypes[static_cast<std::size_t>(value.type)].bytes;
    const std::size_t start = at_;
    if (value.count > left() / std::max<std::size_t>(each, value.type == GgufType::kText ? 8 : 1))
      return refuse(what + " has " + std::to_string(value.count) +
                    " elements, more than the file has bytes for; it is truncated or damaged");
    if (each > 0) {
      TRY_ASSIGN(value.bytes, take(value.count * each, what));
      return value;
    }
    for (std::uint64_t i = 0; i < value.count; ++i) TRY(take_text(what));
    value.bytes = file_.subspan(start, at_ - start);
    return value;
  }

 private:
  Result<GgufType> take_type(const std::string& what) {
    TRY_ASSIGN(const auto number, take_number<std::uint32_t>(what));
    if (number >= kTypes.size())
      return refuse(what + " has the unknown type " + std::to_string(number));
    return static_cast<GgufType>(number);
  }
  ByteView file_;
  std::string_view source_;
  std::size_t at_ = 0;
};

struct Counts {
  std::uint64_t tensors, values;
};

Result<Counts> read_start(Reader& reader) {
  TRY_ASSIGN(const ByteView magic, reader.take(4, "its first bytes"));
  if (as_text(magic) != "GGUF")
    return reader.refuse("not a GGUF file (it does not start with \"GGUF\")");
  TRY_ASSIGN(const auto version, reader.take_number<std::uint32_t>("its version"));
  if ((version & 0xFFFF) == 0)
    return reader.refuse("a big-endian GGUF, which is not read; convert the model again");
  if (version != 2 && version != 3)
    return reader.refuse("GGUF of version " + std::to_string(version) +
                         "; versions 2 and 3 are read: convert the model again");
  Counts counts{};
  TRY_ASSIGN(counts.tensors, reader.take_number<std::uint64_t>("its count of tensors"));
  TRY_ASSIGN(counts.values, reader.take_number<std::uint64_t>("its count of metadata"));
  // The shortest value takes 13 bytes, the shortest description of a tensor 24.
  if (counts.values > limits::kGgufMetadataMax || counts.values > reader.left() / 13)
    return reader.refuse(std::to_string(counts.values) +
                         " metadata values do not fit into the file; it is damaged");
  if (counts.tensors > limits::kGgufTensorsMax || counts.tensors > reader.left() / 24)
    return reader.refuse(std::to_string(counts.tensors) +
                         " tensors do not fit into the file; it is damaged");
  return counts;
}

Result<void> read_metadata(Reader& reader, std::uint64_t count, GgufFile& file) {
  for (std::uint64_t i = 0; i < count; ++i) {
    TRY_ASSIGN(const std::string_view key, reader.take_text("a metadata key"));
    TRY_ASSIGN(const GgufValue value, reader.take_value("metadata " + quoted(key)));
    if (!file.metadata.emplace(key, value).second)
      return reader.refuse("metadata " + quoted(key) + " stands twice");
  }
  return {};
}

struct Placed {
  GgufTensor tensor;
  std::uint64_t offset = 0, bytes = 0;  // within the data
};

Result<Placed> read_info(Reader& reader) {
  Placed placed;
  TRY_ASSIGN(placed.tensor.name, reader.take_text("the name of a tensor"));
  const std::string where = "tensor " + quoted(placed.tensor.name);
  TRY_ASSIGN(const auto dimensions, reader.take_number<std::uint32_t>(where));
  if (dimensions > limits::kGgufDimensionsMax)
    return reader.refuse(where + " has " + std::to_string(dimensions) + " dimensions");
  std::uint64_t elements = 1, columns = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    TRY_ASSIGN(const auto length, reader.take_number<std::uint64_t>(where));
    if (i == 0) columns = length;
    if (length > limits::kTensorBytesMax || __builtin_mul_overflow(elements, length, &elements) ||
        elements > limits::kTensorBytesMax)
      return reader.refuse(where + " has a shape that is larger than any file");
    placed.tensor.shape.insert(placed.tensor.shape.begin(), static_cast<std::int64_t>(length));
  }
  TRY_ASSIGN(const auto ggml, reader.take_number<std::uint32_t>(where));
  const auto type = weight_type_of_ggml(ggml);
  if (!type)
    return reader.refuse(where + " is " + type_name(ggml) +
                         ", which is not read; take a file of type F16, BF16, Q8_0, Q4_K_M, "
                         "Q5_K_M or Q6_K");
  placed.tensor.type = *type;
  const BlockFacts& block = block_of(*type);
  if (columns % block.elements != 0)
    return reader.refuse(where + " has rows of " + std::to_string(columns) +
                         " values, not a multiple of the " + std::to_string(block.elements) +
                         " of a block of " + std::string(block.name));
  placed.bytes = elements / block.elements * block.bytes;
  TRY_ASSIGN(placed.offset, reader.take_number<std::uint64_t>(where));
  return placed;
}

// Every tensor gets its bytes: aligned, inside the data and apart from the others.
Result<void> place(std::vector<Placed>& infos, ByteView data, std::uint64_t alignment,
                   const Reader& reader) {
  std::sort(infos.begin(), infos.end(),
            [](const Placed& a, const Placed& b) { return a.offset < b.offset; });
  std::uint64_t end = 0;
  for (Placed& info : infos) {
    const std::string where = "tensor " + quoted(info.tensor.name);
    if (info.offset % alignment != 0)
      return reader.refuse(where + " is not aligned to " + std::to_string(alignment) + " bytes");
    if (info.offset > data.size() || info.bytes > data.size() - info.offset)
      return reader.refuse(where + " lies outside the file (" + std::to_string(info.bytes) +
                           " bytes from " + std::to_string(info.offset) + " of " +
                           std::to_string(data.size()) +
                           "); it is truncated or damaged: fetch it again");
    if (info.offset < end) return reader.refuse(where + " overlaps the one before it");
    end = info.offset + info.bytes;
    info.tensor.bytes = data.subspan(info.offset, info.bytes);
  }
  return {};
}

Result<std::uint64_t> alignment_of(const GgufFile& file) {
  if (!file.has("general.alignment")) return 32;
  TRY_ASSIGN(const std::int64_t alignment, file.integer("general.alignment"));
  if (alignment < 1 || alignment > static_cast<std::int64_t>(limits::kGgufAlignmentMax) ||
      (alignment & (alignment - 1)) != 0)
    return fail(Code::kBadInput, file.source + ": general.alignment " + std::to_string(alignment) +
                                     " is not a power of two of at most " +
                                     std::to_string(limits::kGgufAlignmentMax));
  return static_cast<std::uint64_t>(alignment);
}

}  // namespace

std::string_view name_of(GgufType type) { return kTypes[static_cast<std::size_t>(type)].name; }

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto found = std::lower_bound(
      tensors.begin(), tensors.end(), name,
      [](const GgufTensor& tensor, std::string_view key) { return tensor.name < key; });
  return found != tensors.end() && found->name == name ? &*found : nullptr;
}

Result<GgufFile> read_gguf(ByteView bytes, std::string_view source) {
  Reader reader(bytes, source);
  GgufFile file;
  file.source = std::string(source);
  TRY_ASSIGN(const Counts counts, read_start(reader));
  TRY(read_metadata(reader, counts.values, file));
  std::vector<Placed> infos;
  for (std::uint64_t i = 0; i < counts.tensors; ++i) {
    TRY_ASSIGN(Placed info, read_info(reader));
    infos.push_back(std::move(info));
  }
  TRY_ASSIGN(const std::uint64_t alignment, alignment_of(file));
  const std::size_t start =
      std::min((reader.at() + alignment - 1) / alignment * alignment, bytes.size());
  TRY(place(infos, bytes.subspan(start), alignment, reader));
  for (Placed& info : infos) file.tensors.push_back(std::move(info.tensor));
  std::sort(file.tensors.begin(), file.tensors.end(),
            [](const GgufTensor& a, const GgufTensor& b) { return a.name < b.name; });
  for (std::size_t i = 1; i < file.tensors.size(); ++i)
    if (file.tensors[i].name == file.tensors[i - 1].name)
      return reader.refuse("tensor " + quoted(file.tensors[i].name) + " stands twice");
  return file;
}

}  // namespace freshet
