#include "model/files/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/rng.h"

namespace freshet {
namespace {

Bytes file_of(std::string header, std::size_t data_bytes) {
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = header.size();
  Bytes file(8);
  std::memcpy(file.data(), &length, 8);
  file.insert(file.end(), header.begin(), header.end());
  for (std::size_t i = 0; i < data_bytes; ++i) file.push_back(static_cast<std::uint8_t>(i));
  return file;
}

std::string refusal(ByteView file) {
  const auto read = read_safetensors(file, "m.safetensors");
  if (read) return "was read";
  EXPECT_EQ(read.error().code, Code::kBadInput);
  EXPECT_EQ(read.error().what.substr(0, 13), "m.safetensors");
  return read.error().what;
}

TEST(Safetensors, GivesBackWhatWasWritten) {
  const std::uint64_t seed = 3;
  Rng rng(seed);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::vector<float>> values(rng.below(6));
    std::vector<TensorToWrite> tensors;
    for (std::size_t t = 0; t < values.size(); ++t) {
      const auto rows = static_cast<std::int64_t>(rng.below(4)),
                 columns = static_cast<std::int64_t>(rng.below(9));
      values[t].resize(static_cast<std::size_t>(rows * columns));
      for (float& value : values[t]) value = static_cast<float>(rng.normal());
      tensors.push_back({"t" + std::to_string(values.size() - t), {rows, columns}, values[t]});
    }
    const Bytes file = write_safetensors(tensors, Dtype::kF32);
    const auto read = read_safetensors(file, "m");
    ASSERT_TRUE(read) << read.error().what << " seed " << seed;
    EXPECT_EQ(read->tensors.size(), tensors.size());
    EXPECT_EQ(read->metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
    for (const TensorToWrite& tensor : tensors) {
      const TensorView* found = read->find(tensor.name);
      ASSERT_NE(found, nullptr) << tensor.name << " seed " << seed;
      EXPECT_EQ(found->shape, tensor.shape);
      EXPECT_EQ(*to_f32(*found), std::vector<float>(tensor.values.begin(), tensor.values.end()))
          << "seed " << seed;
    }
    EXPECT_EQ(read->find("t"), nullptr);
  }
}

TEST(Safetensors, WritesTheseBytes) {
  const std::vector<float> b = {1}, a = {-2, 0.5f};
  const std::vector<TensorToWrite> tensors = {{"b", {1}, b}, {"a", {1, 2}, a}};
  const Bytes file = write_safetensors(tensors, Dtype::kBF16);
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"data_offsets":[0,4],"dtype":"BF16","shape":[1,2]},)"
      R"("b":{"data_offsets":[4,6],"dtype":"BF16","shape":[1]}})";
  EXPECT_EQ(file[0], (header.size() + 7) / 8 * 8);
  EXPECT_EQ(as_text(file).substr(8, header.size()), header);
  EXPECT_EQ(Bytes(file.end() - 6, file.end()), (Bytes{0x00, 0xC0, 0x00, 0x3F, 0x80, 0x3F}));
}

TEST(Safetensors, Bf16RoundsToNearestWithTiesToEven) {
  EXPECT_EQ(to_bf16(1.0f), 0x3F80);
  EXPECT_EQ(to_bf16(1.00390625f), 0x3F80);  // half way between 3F80 and 3F81: to even
  EXPECT_EQ(to_bf16(1.01171875f), 0x3F82);  // half way between 3F81 and 3F82: to even
  EXPECT_EQ(to_bf16(1.00390637f), 0x3F81);  // just above half way
  EXPECT_EQ(to_bf16(-0.0f), 0x8000);
  EXPECT_EQ(to_bf16(3.4e38f), 0x7F80);  // rounds to infinity
  EXPECT_EQ(to_bf16(std::numeric_limits<float>::infinity()), 0x7F80);
  EXPECT_EQ(to_bf16(std::nanf("")) & 0x7FFF, 0x7FC0);
}

TEST(Safetensors, ReadsHalfPrecision) {
  Bytes file = file_of(R"({"x":{"dtype":"F16","shape":[6],"data_offsets":[0,12]}})", 0);
  for (std::uint16_t half : {0x3C00, 0xC000, 0x0001, 0x7BFF, 0x7C00, 0x3555}) {
    file.push_back(static_cast<std::uint8_t>(half));
    file.push_back(static_cast<std::uint8_t>(half >> 8));
  }
  const auto read = read_safetensors(file, "m");
  ASSERT_TRUE(read) << read.error().what;
  const auto values = to_f32(read->tensors[0]);
  ASSERT_TRUE(values);
  EXPECT_EQ(*values, (std::vector<float>{1, -2, 0x1p-24f, 65504,
                                         std::numeric_limits<float>::infinity(), 0x1.554p-2f}));
}

TEST(Safetensors, RefusesToReadIntegersAsNumbers) {
  const auto read = read_safetensors(
      file_of(R"({"x":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})", 4), "m");
  ASSERT_TRUE(read);
  EXPECT_NE(to_f32(read->tensors[0]).error().what.find("\"x\" is I32"), std::string::npos);
}

TEST(Safetensors, RefusesALyingHeader) {
  const struct {
    const char* header;
    std::size_t data_bytes;
    const char* says;
  } cases[] = {
      {R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, "outside the file"},
      {R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "outside the file"},
      {R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4,
       "has 4 bytes where its shape needs 8"},
      {R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 12,
       "4 bytes after the last tensor"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "leave a hole at byte 0"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       4, "overlap at byte 0"},
      {R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       8, "overlap at byte 4"},
      {R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
       5, "not aligned"},
      {R"({"x":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4, "unknown dtype \"F31\""},
      {R"({"x":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})", 4, "unknown dtype 7"},
      {R"({"x":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,0]}})", 0,
       "larger than any file"},
      {R"({"x":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}})",
       0, "larger than any file"},
      {R"({"x":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}})", 0,
       "larger than any file"},
      {R"({"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4,
       "not a non-negative integer"},
      {R"({"x":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4,
       "not a non-negative integer"},
      {R"({"x":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4,
       "not a short list"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, "not a pair"},
      {R"({"x":{"dtype":"F32","shape":[1]}})", 4, "lacks"},
      {R"({"x":[1]})", 0, "lacks"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       4, "\"x\" stands twice"},
      {R"({"x":{"dtype":"F32","shape":[[[[[1]]]]],"data_offsets":[0,4]}})", 4,
       "not an object of tensors"},
      {R"({"__metadata__":{"a":1}})", 0, "something other than text"},
      {R"([1,2])", 0, "not an object"},
      {R"({"x":)", 0, "not valid JSON"},
  };
  for (const auto& c : cases) {
    const std::string text = refusal(file_of(c.header, c.data_bytes));
    EXPECT_NE(text.find(c.says), std::string::npos) << c.header << "\n" << text;
  }
}

TEST(Safetensors, RefusesEveryTruncation) {
  const std::vector<float> values = {1, 2, 3};
  const std::vector<TensorToWrite> tensors = {{"x", {3}, values}};
  const Bytes file = write_safetensors(tensors, Dtype::kF32);
  for (std::size_t bytes = 0; bytes < file.size(); ++bytes)
    EXPECT_NE(refusal(ByteView(file).first(bytes)), "was read") << bytes;
}

TEST(Safetensors, RefusesAnEndlessHeader) {
  Bytes file(64, 0xFF);
  EXPECT_NE(refusal(file).find("a header of 18446744073709551615 bytes"), std::string::npos);
  std::string deep = R"({"x":)" + std::string(100'000, '[');
  EXPECT_NE(refusal(file_of(deep, 0)), "was read");
}

}  // namespace
}  // namespace freshet
