#include "cli/demo/private_text.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/check.h"
#include "cli/demo/unpack.h"

namespace freshet::demo {
namespace {

Bytes gzipped(std::string_view text) {
  z_stream stream{};
  CHECK(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes packed(text.size() + 100);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// Codes of nine bits, as a packer writes them that never widens.
Bytes lzw_codes(std::initializer_list<std::uint32_t> codes) {
  Bytes bytes;
  std::size_t at = 0;
  for (std::uint32_t code : codes)
    for (unsigned bit = 0; bit < 9; ++bit, ++at) {
      if (at % 8 == 0) bytes.push_back(0);
      bytes.back() |= static_cast<std::uint8_t>((code >> bit & 1) << (at % 8));
    }
  return bytes;
}

class PrivateText : public ::testing::Test {
 protected:
  PrivateText() {
    char name[] = "/tmp/freshet-private-text-XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    dir_ = name;
  }
  ~PrivateText() override { std::filesystem::remove_all(dir_); }

  void write(const Path& path, ByteView bytes) {
    ASSERT_TRUE(make_folders((dir_ / path).parent_path()));
    ASSERT_TRUE(write_file_durably(dir_ / path, bytes));
  }

  Path dir_;
};

std::string numbered_lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "line " + std::to_string(i) + "\n";
  return text;
}

TEST(Unpack, GunzipGivesTheTextBack) {
  std::string text = numbered_lines(5000);
  EXPECT_EQ(gunzip(gzipped(text), "x", 1 << 20).value(), text);
}

TEST(Unpack, GunzipRefusesDamageAndBombs) {
  Bytes packed = gzipped(numbered_lines(5000));
  EXPECT_EQ(gunzip(ByteView(packed).first(packed.size() / 2), "x", 1 << 20).error().code,
            Code::kBadInput);
  EXPECT_EQ(gunzip(packed, "x", 1000).error().code, Code::kBadInput);
  EXPECT_EQ(gunzip(as_bytes("plain"), "x", 1000).error().code, Code::kBadInput);
}

TEST(Unpack, LzwKnowsTheCodeThatIsBeingMade) {
  EXPECT_EQ(decode_lzw(lzw_codes({'a', 257, 258, 'b'}), "x", 100).value(), "aaaaaab");
  EXPECT_EQ(decode_lzw(lzw_codes({'a', 'b', 257, 259, 258}), "x", 100).value(), "ababababa");
}

TEST(Unpack, LzwRefusesACodeFromNowhere) {
  EXPECT_FALSE(decode_lzw(lzw_codes({'a', 400}), "x", 100));
  EXPECT_FALSE(decode_lzw(lzw_codes({300}), "x", 100));
}

TEST(Unpack, BibleRefusesATableOutsideTheFile) {
  Bytes data(0x60, 0);
  std::string_view magic = "EC02Compressed Data File";
  std::copy(magic.begin(), magic.end(), data.begin());
  data[0x5b] = 1;     // one window
  data[0x5e] = 0x10;  // that starts at 4096
  EXPECT_FALSE(unpack_bible(data, "x", 1000));
  EXPECT_FALSE(unpack_bible(as_bytes("short"), "x", 1000));
  data[0x5e] = 0;
  data[0x5f] = 0x60;  // where the file ends: an empty window
  EXPECT_EQ(unpack_bible(data, "x", 1000).value(), "");
}

TEST_F(PrivateText, OneLongFileGivesEvenSlicesOfWholeLines) {
  Source source{"log", "lines", "some-package", Form::kPlain, {"usr/share/log.txt.gz"}};
  write("some-package/usr/share/log.txt.gz", gzipped(numbered_lines(20'000)));
  auto parts = read_source(source, {dir_ / "nowhere", dir_}, 8000).value();
  ASSERT_EQ(parts.size(), 8u);
  std::size_t bytes = 0;
  for (const TextPart& part : parts) {
    EXPECT_EQ(part.text.substr(0, 5), "line ");
    EXPECT_EQ(part.text.back(), '\n');
    bytes += part.text.size();
  }
  EXPECT_LE(bytes, 8000u);
  EXPECT_GT(bytes, 7000u);
  EXPECT_LT(std::stoi(parts[0].text.substr(5)), 2000);
  EXPECT_GT(std::stoi(parts[7].text.substr(5)), 15'000);
}

TEST_F(PrivateText, NoSingleFileFillsTheFolder) {
  Source source{"papers", "papers", "some-package", Form::kPlain, {"papers/*"}};
  write("papers/long.txt", as_bytes(numbered_lines(5000)));
  write("papers/middle.txt", as_bytes(numbered_lines(5000)));
  write("papers/short.txt", as_bytes(numbered_lines(10)));
  auto parts = read_source(source, {dir_, dir_}, 10'000).value();
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].name, "long");
  EXPECT_NEAR(static_cast<double>(parts[0].text.size()), static_cast<double>(parts[1].text.size()),
              20);
  EXPECT_EQ(parts[2].text, numbered_lines(10));
}

TEST_F(PrivateText, AMissingPackageIsNamedWithWhatToDo) {
  auto files = find_files(private_sources()[0], {dir_, dir_});
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Code::kBadInput);
  EXPECT_NE(files.error().what.find("dict-jargon"), std::string::npos);
  EXPECT_NE(files.error().what.find("demo_text.sh"), std::string::npos);
}

TEST_F(PrivateText, OwnTextIsOneSubfolderANode) {
  write("b/x.txt", as_bytes("b"));
  EXPECT_EQ(list_own_text(dir_).error().code, Code::kBadInput);
  write("a/x.txt", as_bytes("a"));
  write(".git/x.txt", as_bytes("hidden"));
  auto nodes = list_own_text(dir_).value();
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[0].name, "a");
  EXPECT_EQ(list_own_text(dir_ / "missing").error().code, Code::kBadInput);
}

}  // namespace
}  // namespace freshet::demo
