#include "cli/demo/wire_audit.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace freshet::demo {
namespace {

constexpr std::size_t kChanceMax = 12;  // runs of this length and above are no chance

// A private text of common letters, and ids that a tokenizer could have given it.
class WireAudit : public ::testing::Test {
 protected:
  WireAudit() {
    Rng rng(20);
    while (text_.size() < 200'000) {
      for (std::uint64_t letters = 1 + rng.below(9); letters > 0; --letters)
        text_.push_back("etaoinshrdlucmfwypvbgkjqxzETAOIN"[rng.below(32)]);
      text_.push_back(' ');
    }
    for (std::size_t i = 0; i < text_.size() / 3; ++i)
      ids_.push_back(static_cast<std::int32_t>(259 + rng.below(3800)));
    wire_.resize(2'000'000);
    for (auto& byte : wire_) byte = static_cast<std::uint8_t>(rng.next_u32());
  }

  void plant(ByteView leak) { std::copy(leak.begin(), leak.end(), wire_.begin() + 777'777); }
  void plant(std::string_view leak) { plant(as_bytes(leak)); }

  WireFinding audit() const {
    std::vector<PrivateFile> files = {{"other", as_bytes("nothing of interest"), {}},
                                      {"diary", as_bytes(text_), ids_}};
    std::vector<Recording> recordings = {{"empty", {}}, {"node-3", wire_}};
    return audit_wire(files, recordings);
  }

  std::string leaked(std::size_t from, std::size_t bytes) const {
    return text_.substr(from, bytes);
  }

  std::string text_;
  std::vector<std::int32_t> ids_;
  Bytes wire_;
};

std::string base64(std::string_view text, std::string_view last_two) {
  std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" +
                         std::string(last_two),
              out;
  std::uint32_t held = 0;
  int bits = 0;
  for (unsigned char c : text) {
    held = held << 8 | c;
    for (bits += 8; bits >= 6; bits -= 6) out.push_back(alphabet[held >> (bits - 6) & 63]);
  }
  if (bits > 0) out.push_back(alphabet[held << (6 - bits) & 63]);
  return out;
}

// What random neighbours may add to a planted run.
void expect_about(std::size_t bytes, std::size_t planted) {
  EXPECT_GE(bytes, planted);
  EXPECT_LE(bytes, planted + 3);
}

TEST_F(WireAudit, RandomBytesShowNothingButChance) {
  WireFinding found = audit();
  EXPECT_GT(found.bytes, 0u);
  EXPECT_LT(found.bytes, kChanceMax);
}

TEST_F(WireAudit, SeesRawText) {
  plant(leaked(1234, 40));
  WireFinding found = audit();
  expect_about(found.bytes, 40);
  EXPECT_EQ(found.form, "text");
  EXPECT_EQ(found.file, "diary");
  EXPECT_EQ(found.recording, "node-3");
}

TEST_F(WireAudit, SeesHexadecimalOfEitherCaseAtAnyParity) {
  for (bool upper : {false, true}) {
    std::string hex = to_hex(as_bytes(leaked(5000, 33)));
    if (upper)
      std::transform(hex.begin(), hex.end(), hex.begin(),
                     [](unsigned char c) { return std::toupper(c); });
    for (const char* before : {"~", "~7"}) {
      plant(before + hex + "~");
      WireFinding found = audit();
      expect_about(found.bytes, 33);
      EXPECT_EQ(found.form, "hexadecimal");
    }
  }
}

TEST_F(WireAudit, SeesBase64OfBothAlphabetsAtEveryAlignment) {
  for (std::string_view last_two : {"+/", "-_"})
    for (std::size_t before = 0; before < 3; ++before)
      for (std::size_t length : {30, 31, 32}) {
        // Bytes above 0x7f before and after: the alphabets differ there, and the leak stands inside
        // a longer encoding.
        std::string whole = std::string(before, '\xfb') + leaked(9000, length) + "\xff";
        plant("~" + base64(whole, last_two) + "~");
        WireFinding found = audit();
        expect_about(found.bytes, length);
        EXPECT_EQ(found.form, "base64");
      }
}

TEST_F(WireAudit, SeesTokenIds) {
  for (unsigned width : {2u, 4u}) {
    Bytes leak;
    for (std::size_t i = 300; i < 320; ++i)
      for (unsigned byte = 0; byte < width; ++byte)
        leak.push_back(
            static_cast<std::uint8_t>(static_cast<std::uint32_t>(ids_[i]) >> (8 * byte)));
    plant(leak);
    WireFinding found = audit();
    expect_about(found.bytes, leak.size());
    EXPECT_EQ(found.form, width == 2 ? "16-bit token ids" : "32-bit token ids");
  }
}

TEST_F(WireAudit, TheLongestOfSeveralLeaksCounts) {
  plant(leaked(100, 20) + "~~" + to_hex(as_bytes(leaked(700, 50))) + "~~" + leaked(2000, 30));
  WireFinding found = audit();
  expect_about(found.bytes, 50);
  EXPECT_EQ(found.form, "hexadecimal");
}

}  // namespace
}  // namespace freshet::demo
