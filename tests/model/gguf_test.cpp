#include "model/files/gguf.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tests/temp_folder.h"

namespace freshet {
namespace {

const Path kTypes = "tests/model/golden/gguf/types.gguf";

template <class T>
void append(Bytes& out, T value) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}
void put_name(Bytes& out, std::string_view text) {
  append(out, static_cast<std::uint64_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
}

Bytes start_of(std::uint64_t tensors, std::uint64_t values, std::uint32_t version = 3) {
  Bytes file = to_bytes(as_bytes("GGUF"));
  append(file, version);
  append(file, tensors);
  append(file, values);
  return file;
}

struct Info {
  std::string name = "x";
  std::vector<std::uint64_t> dimensions = {4};
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
};

// A file with these tensors and `data` bytes after its head.
Bytes file_of(const std::vector<Info>& infos, std::size_t data) {
  Bytes file = start_of(infos.size(), 0);
  for (const Info& info : infos) {
    put_name(file, info.name);
    append(file, static_cast<std::uint32_t>(info.dimensions.size()));
    for (std::uint64_t length : info.dimensions) append(file, length);
    append(file, info.type);
    append(file, info.offset);
  }
  file.resize((file.size() + 31) / 32 * 32 + data);
  return file;
}

std::string refusal(const Bytes& file) {
  const auto read = read_gguf(file, "m.gguf");
  if (read) return "accepted";
  EXPECT_EQ(read.error().code, Code::kBadInput);
  EXPECT_EQ(read.error().what.find("m.gguf: "), 0u) << read.error().what;
  return read.error().what;
}

void expect_refused(const Bytes& file, std::string_view part) {
  const std::string what = refusal(file);
  EXPECT_NE(what.find(part), std::string::npos) << "\"" << what << "\" lacks " << part;
}

std::vector<float> values_of(const GgufTensor& tensor) {
  const BlockFacts& block = block_of(tensor.type);
  std::vector<float> values(tensor.bytes.size() / block.bytes * block.elements);
  dequantize(tensor.type, tensor.bytes, values.data());
  return values;
}

TEST(Gguf, DequantisesEveryTypeAsTheGgufPackageDoes) {
  const auto mapped = MappedFile::open(kTypes);
  ASSERT_TRUE(mapped);
  const auto file = read_gguf(mapped->view(), "types.gguf");
  ASSERT_TRUE(file) << file.error().what;
  for (std::size_t i = 0; i < kWeightTypes; ++i) {
    const auto type = static_cast<WeightType>(i);
    const std::string name(block_of(type).name);
    const GgufTensor* tensor = file->find_tensor(name);
    const GgufTensor* wanted = file->find_tensor(name + ".values");
    ASSERT_TRUE(tensor != nullptr && wanted != nullptr) << name;
    EXPECT_EQ(tensor->type, type);
    EXPECT_EQ(tensor->shape, (std::vector<std::int64_t>{2, 256}));
    const std::vector<float> got = values_of(*tensor), want = values_of(*wanted);
    ASSERT_EQ(got.size(), 512u) << name;
    for (std::size_t k = 0; k < got.size(); ++k)
      ASSERT_EQ(std::bit_cast<std::uint32_t>(got[k]), std::bit_cast<std::uint32_t>(want[k]))
          << name << " " << k << ": " << got[k] << " for " << want[k];
  }
}

TEST(Gguf, QuantisesToQ8AsTheGgufPackageDoes) {
  const auto mapped = MappedFile::open(kTypes);
  ASSERT_TRUE(mapped);
  const auto file = read_gguf(mapped->view(), "types.gguf");
  ASSERT_TRUE(file) << file.error().what;
  const ByteView want = file->find_tensor("quantised")->bytes;
  Bytes got(want.size());
  quantize_q8_0(values_of(*file->find_tensor("quantised.source")), got.data());
  EXPECT_TRUE(std::equal(want.begin(), want.end(), got.begin()));
}

TEST(Gguf, RoundsToTheNearestF16) {
  for (std::uint32_t half = 0; half < 0x7C00; ++half) {  // every finite magnitude, and between two
    const std::uint16_t bits[] = {static_cast<std::uint16_t>(half),
                                  static_cast<std::uint16_t>(half + 1)};
    float values[2];
    dequantize(WeightType::kF16, as_bytes(std::span<const std::uint16_t>(bits)), values);
    ASSERT_EQ(to_f16(values[0]), half);
    ASSERT_EQ(to_f16(-values[0]), half | 0x8000u);
    if (half + 1 == 0x7C00) continue;
    const float middle = values[0] + (values[1] - values[0]) / 2;
    ASSERT_EQ(to_f16(middle), half % 2 == 0 ? half : half + 1) << half;
    ASSERT_EQ(to_f16(std::nextafter(middle, 0.0f)), half);
    ASSERT_EQ(to_f16(std::nextafter(middle, 1e9f)), half + 1);
  }
  EXPECT_EQ(to_f16(65519), 0x7BFF);
  EXPECT_EQ(to_f16(65520), 0x7C00);
  EXPECT_EQ(to_f16(std::numeric_limits<float>::infinity()), 0x7C00);
  EXPECT_EQ(to_f16(std::numeric_limits<float>::quiet_NaN()) & 0x7E00, 0x7E00);
}

TEST(Gguf, ReadsMetadataOfEveryType) {
  const auto mapped = MappedFile::open(kTypes);
  ASSERT_TRUE(mapped);
  const auto read = read_gguf(mapped->view(), "types.gguf");
  ASSERT_TRUE(read) << read.error().what;
  const GgufFile& file = *read;
  const std::pair<const char*, std::int64_t> integers[] = {
      {"one.u8", 200},
      {"one.i8", -100},
      {"one.u16", 60000},
      {"one.i16", -30000},
      {"one.u32", 4000000000},
      {"one.i32", -2000000000},
      {"one.u64", std::numeric_limits<std::int64_t>::max()},
      {"one.i64", std::numeric_limits<std::int64_t>::min()}};
  for (const auto& [key, value] : integers) EXPECT_EQ(file.integer(key).value_or(1), value) << key;
  EXPECT_EQ(file.number("one.f32").value_or(0), 0.5);
  EXPECT_EQ(file.number("one.f64").value_or(0), 0.1);
  EXPECT_EQ(file.number("one.i8").value_or(0), -100);
  EXPECT_EQ(file.flag("one.bool").value_or(false), true);
  EXPECT_EQ(file.text("one.text").value_or(""), "sch\u00f6n");
  EXPECT_EQ(*file.integers("many.i32"), (std::vector<std::int64_t>{1, -2, 3}));
  EXPECT_EQ(*file.numbers("many.f32"), (std::vector<float>{0.5, -0.25}));
  EXPECT_EQ(*file.texts("many.text"), (std::vector<std::string_view>{"", "a", "\u00e9"}));
  EXPECT_EQ(file.metadata.at("many.bool").count, 2u);
}

TEST(Gguf, SaysWhatIsWrongWithAMetadataValue) {
  const auto mapped = MappedFile::open(kTypes);
  ASSERT_TRUE(mapped);
  const auto read = read_gguf(mapped->view(), "types.gguf");
  ASSERT_TRUE(read) << read.error().what;
  const GgufFile& file = *read;
  const std::pair<std::string, std::string> cases[] = {
      {file.integer("one.huge").error().what, "\"one.huge\" is uint64, not an integer, or out of"},
      {file.integer("one.f32").error().what, "is float32, not an integer"},
      {file.integer("one.bool").error().what, "is bool"},
      {file.integer("missing").error().what, "\"missing\" is missing"},
      {file.integer("many.i32").error().what, "is an array"},
      {file.number("one.text").error().what, "is string, not a number"},
      {file.flag("one.u8").error().what, "is uint8, not a truth value"},
      {file.text("one.u8").error().what, "is uint8, not a text"},
      {file.integers("one.u8").error().what, "is no array"},
      {file.integers("many.text").error().what, "is string, not integers"},
      {file.numbers("many.text").error().what, "is string, not numbers"},
      {file.texts("many.i32").error().what, "is int32, not texts"}};
  for (const auto& [what, part] : cases)
    EXPECT_NE(what.find(part), std::string::npos) << "\"" << what << "\" lacks " << part;
}

TEST(Gguf, RefusesADamagedHead) {
  expect_refused({}, "ends inside its first bytes");
  expect_refused(to_bytes(as_bytes("GGML1234567890")), "not a GGUF file");
  expect_refused(start_of(0, 0, 1), "version 1");
  expect_refused(start_of(0, 0, 0x03000000), "big-endian");
  expect_refused(start_of(std::uint64_t{1} << 60, 0), "tensors do not fit");
  expect_refused(start_of(0, ~std::uint64_t{0}), "metadata values do not fit");
  EXPECT_EQ(refusal(start_of(0, 0, 2)), "accepted");
}

TEST(Gguf, RefusesDamagedMetadata) {
  const auto with = [](std::uint64_t values, auto&& fill) {
    Bytes file = start_of(0, values);
    fill(file);
    file.resize(file.size() + 64);
    return file;
  };
  const auto key = [](Bytes& file, GgufType type) {
    put_name(file, "k");
    append(file, static_cast<std::uint32_t>(type));
  };
  const auto array = [&](Bytes& file, GgufType type, std::uint64_t count) {
    key(file, GgufType::kArray);
    append(file, static_cast<std::uint32_t>(type));
    append(file, count);
  };
  expect_refused(with(1, [&](Bytes& f) { append(f, ~std::uint64_t{0}); }), "inside a metadata key");
  expect_refused(with(1, [&](Bytes& f) { key(f, static_cast<GgufType>(13)); }),
                 "\"k\" has the unknown type 13");
  expect_refused(with(1, [&](Bytes& f) { array(f, GgufType::kArray, 1); }), "array of arrays");
  expect_refused(with(1, [&](Bytes& f) { array(f, GgufType::kU8, std::uint64_t{1} << 60); }),
                 "more than the file has bytes for");
  expect_refused(with(1, [&](Bytes& f) { array(f, GgufType::kF64, std::uint64_t{1} << 61); }),
                 "more than the file has bytes for");
  expect_refused(with(1, [&](Bytes& f) { array(f, GgufType::kText, 9); }),
                 "more than the file has bytes for");
  expect_refused(with(1,
                      [&](Bytes& f) {
                        key(f, GgufType::kText);
                        append(f, std::uint64_t{1000});
                      }),
                 "ends inside metadata \"k\"");
  expect_refused(with(2,
                      [&](Bytes& f) {
                        key(f, GgufType::kBool);
                        append(f, std::uint8_t{1});
                        key(f, GgufType::kBool);
                        append(f, std::uint8_t{1});
                      }),
                 "\"k\" stands twice");
  for (std::uint32_t alignment : {0u, 3u, 1u << 20}) {
    GgufWriter writer;
    expect_refused(with(1,
                        [&](Bytes& f) {
                          put_name(f, "general.alignment");
                          append(f, static_cast<std::uint32_t>(GgufType::kU32));
                          append(f, alignment);
                        }),
                   "not a power of two");
  }
}

TEST(Gguf, RefusesDamagedTensors) {
  EXPECT_EQ(refusal(file_of({{}}, 16)), "accepted");
  expect_refused(file_of({{}}, 15), "\"x\" lies outside the file");
  expect_refused(file_of({{"x", {4}, 0, 64}}, 32), "lies outside the file");
  expect_refused(file_of({{"x", {4}, 0, ~std::uint64_t{31}}}, 32), "lies outside the file");
  expect_refused(file_of({{"x", {4}, 0, 16}}, 64), "not aligned to 32");
  expect_refused(file_of({{"x", {16}}, {"y", {4}, 0, 32}}, 64), "\"y\" overlaps");
  expect_refused(file_of({{}, {"x", {4}, 0, 32}}, 64), "\"x\" stands twice");
  expect_refused(file_of({{"x", {1, 1, 1, 1, 1}}}, 64), "has 5 dimensions");
  expect_refused(file_of({{"x", {std::uint64_t{1} << 60}}}, 64), "larger than any file");
  expect_refused(file_of({{"x", {1 << 30, 1 << 30}}}, 64), "larger than any file");
  expect_refused(file_of({{"x", {std::uint64_t{1} << 63, 2}}}, 64), "larger than any file");
  expect_refused(file_of({{"x", {33}, 8}}, 64), "not a multiple of the 32 of a block of Q8_0");
  expect_refused(file_of({{"x", {256}, 11}}, 256), "is Q3_K, which is not read");
  expect_refused(file_of({{"x", {256}, 99}}, 256), "unknown type (99)");
  Bytes cut = file_of({{}}, 0);
  cut.resize(50);
  expect_refused(cut, "ends inside tensor \"x\"");
}

TEST(Gguf, ReadsWhatItWrote) {
  const TempFolder folder;
  const Path path = folder / "m.gguf";
  const std::vector<float> a = {1, 2, 3, 4, 5, 6}, b(64, 63.5f);
  Bytes blocks(2 * 34);
  quantize_q8_0(b, blocks.data());
  {
    GgufWriter writer;
    writer.put_text("text", "one");
    writer.put_u32("u32", 7);
    writer.put_i32("i32", -7);
    writer.put_u64("u64", 1ull << 40);
    writer.put_f32("f32", 0.25f);
    writer.put_flag("flag", true);
    writer.put_u32s("u32s", std::vector<std::uint32_t>{1, 2});
    writer.put_i32s("i32s", std::vector<std::int32_t>{-1});
    writer.put_f32s("f32s", std::vector<float>{0.5f});
    writer.put_texts("texts", std::vector<std::string>{"x", ""});
    writer.announce("a", WeightType::kF32, std::vector<std::int64_t>{2, 3});
    writer.announce("b", WeightType::kQ8_0, std::vector<std::int64_t>{2, 32});
    ASSERT_TRUE(writer.start(path));
    ASSERT_TRUE(writer.write_tensor(as_bytes(std::span<const float>(a))));
    ASSERT_TRUE(writer.write_tensor(blocks));
    EXPECT_FALSE(std::filesystem::exists(path));
    ASSERT_TRUE(writer.finish());
  }
  const auto mapped = MappedFile::open(path);
  ASSERT_TRUE(mapped);
  const auto file = read_gguf(mapped->view(), "m.gguf");
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_EQ(*file->text("text"), "one");
  EXPECT_EQ(*file->integer("u32") + *file->integer("i32"), 0);
  EXPECT_EQ(*file->integer("u64"), std::int64_t{1} << 40);
  EXPECT_EQ(*file->number("f32"), 0.25);
  EXPECT_TRUE(*file->flag("flag"));
  EXPECT_EQ(*file->integers("u32s"), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(*file->integers("i32s"), (std::vector<std::int64_t>{-1}));
  EXPECT_EQ(*file->numbers("f32s"), std::vector<float>{0.5f});
  EXPECT_EQ(*file->texts("texts"), (std::vector<std::string_view>{"x", ""}));
  EXPECT_EQ(file->find_tensor("a")->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(values_of(*file->find_tensor("a")), a);
  EXPECT_EQ(values_of(*file->find_tensor("b")), b);
}

TEST(Gguf, LeavesNothingOfAFileThatWasNotFinished) {
  const TempFolder folder;
  {
    GgufWriter writer;
    writer.announce("a", WeightType::kF32, std::vector<std::int64_t>{1});
    ASSERT_TRUE(writer.start(folder / "m.gguf"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  GgufWriter nowhere;
  EXPECT_FALSE(nowhere.start(folder / "no" / "m.gguf"));
}

}  // namespace
}  // namespace freshet
