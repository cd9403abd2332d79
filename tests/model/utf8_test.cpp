#include "model/tokenizer/utf8.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

TEST(Utf8, KnowsWellFormedCharacters) {
  const std::pair<std::string_view, std::size_t> cases[] = {
      {"a", 1},
      {"\x7F", 1},
      {"\xC2\x80", 2},
      {"\xDF\xBF", 2},
      {"\xE0\xA0\x80", 3},
      {"\xED\x9F\xBF", 3},
      {"\xEE\x80\x80", 3},
      {"\xF0\x90\x80\x80", 4},
      {"\xF4\x8F\xBF\xBF", 4},
      {"\xC3\xA9tail", 2},
      {"", 0},
      {"\x80", 0},
      {"\xC1\xBF", 0},
      {"\xE0\x9F\xBF", 0},
      {"\xED\xA0\x80", 0},
      {"\xF0\x8F\xBF\xBF", 0},
      {"\xF4\x90\x80\x80", 0},
      {"\xF5\x80\x80\x80", 0},
      {"\xFF", 0},
      {"\xC3", 0},
      {"\xE2\x96", 0},
      {"\xF0\x9F\x98", 0},
      {"\xC3(", 0},
  };
  for (const auto& [text, bytes] : cases)
    EXPECT_EQ(utf8_character_bytes(text), bytes) << testing::PrintToString(text);
}

TEST(Utf8, EveryCodePointComesBack) {
  for (char32_t point = 0; point <= 0x10FFFF; ++point) {
    if (point >= 0xD800 && point <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, point);
    const std::size_t bytes = utf8_character_bytes(text);
    ASSERT_EQ(bytes, text.size()) << static_cast<std::uint32_t>(point);
    ASSERT_EQ(utf8_code_point(text, bytes), point);
  }
}

TEST(Utf8, CutsTextIntoRunsOfOneKind) {
  std::string_view text = "long plain ascii then \xC3\xA9\xFF\xC3\x28";
  std::vector<std::pair<std::string, bool>> runs;
  while (!text.empty()) {
    const Utf8Run run = next_utf8_run(text);
    runs.emplace_back(run.text, run.well_formed);
    text.remove_prefix(run.text.size());
  }
  EXPECT_EQ(runs, (std::vector<std::pair<std::string, bool>>{
                      {"long plain ascii then \xC3\xA9", true}, {"\xFF\xC3", false}, {"(", true}}));
}

TEST(Utf8, ComposesAndLeavesBrokenBytes) {
  EXPECT_EQ(to_nfc("plain"), "plain");
  EXPECT_EQ(to_nfc("cafe\xCC\x81"), "caf\xC3\xA9");
  EXPECT_EQ(to_nfc("e\xCC\x81\xFF"
                   "e\xCC\x81\xC3"),
            "\xC3\xA9\xFF\xC3\xA9\xC3");
}

}  // namespace
}  // namespace freshet
