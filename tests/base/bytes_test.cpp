#include "base/bytes.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

TEST(Hex, IsLowerCaseAndReadsBack) {
  Bytes all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i);
  const std::string text = to_hex(all);
  EXPECT_EQ(text.substr(0, 8), "00010203");
  EXPECT_EQ(text.substr(504), "fcfdfeff");
  EXPECT_EQ(from_hex(text).value(), all);
  EXPECT_EQ(from_hex("0aFf").value(), (Bytes{10, 255})) << "either case is read";
  EXPECT_EQ(from_hex("").value(), Bytes{});
}

TEST(Hex, RefusesOddLengthsAndOtherCharacters) {
  for (const char* text : {"0", "000", "0g", "g0", " 0", "0x", "-1", "0\n"}) {
    const auto refused = from_hex(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, Code::kBadInput);
  }
  EXPECT_FALSE(from_hex(std::string_view("0\0", 2)));
}

TEST(Hex, DigestHasSixtyFourDigits) {
  const std::string text(64, 'a');
  EXPECT_EQ(to_hex(digest_from_hex(text).value()), text);
  EXPECT_FALSE(digest_from_hex(text.substr(2)));
  EXPECT_FALSE(digest_from_hex(text + "aa"));
  EXPECT_FALSE(digest_from_hex(""));
}

TEST(Hex, ShortFormIsTheFirstFourBytesOrFewer) {
  EXPECT_EQ(short_hex(Bytes{1, 2, 3, 4, 5}), "01020304");
  EXPECT_EQ(short_hex(Bytes{1}), "01");
  EXPECT_EQ(short_hex({}), "");
}

TEST(ByteViews, SeeTextAndValuesInPlace) {
  const std::string text("a\0b", 3);
  EXPECT_EQ(to_bytes(as_bytes(text)), (Bytes{'a', 0, 'b'}));
  EXPECT_EQ(as_text(as_bytes(text)), text);
  const std::uint32_t words[] = {0x04030201, 0x08070605};
  EXPECT_EQ(to_bytes(as_bytes(std::span<const std::uint32_t>(words))),
            (Bytes{1, 2, 3, 4, 5, 6, 7, 8}));
}

}  // namespace
}  // namespace freshet
