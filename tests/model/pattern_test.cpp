#include "model/tokenizer/pattern.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "model/tokenizer/utf8.h"
#include "model/tokenizer/word_scanner.h"

namespace freshet {
namespace {

using List = std::vector<std::string>;

List matches(const Pattern& pattern, std::string_view text) {
  List found;
  pattern.each(text, [&](std::size_t begin, std::size_t end) {
    found.emplace_back(text.substr(begin, end - begin));
  });
  return found;
}

Pattern compile(std::string_view expression) {
  auto pattern = Pattern::compile(expression);
  if (!pattern) throw std::runtime_error(pattern.error().what);
  return std::move(*pattern);
}

TEST(Pattern, FindsWhatOnigurumaFinds) {
  EXPECT_EQ(matches(compile(R"(\s+)"),
                    "a \xC2\xA0"
                    "b\xE1\xA0\x8E"
                    "c"),
            (List{" \xC2\xA0"}));
  EXPECT_EQ(matches(compile(R"([^\S\n]+)"), "a \n\tb"), (List{" ", "\t"}));
  EXPECT_EQ(matches(compile(R"(\d{,2}x)"), "123x x"), (List{"23x", "x"}));
  EXPECT_EQ(matches(compile(R"(\u00e9|\x41)"), "A\xC3\xA9"), (List{"A", "\xC3\xA9"}));
  EXPECT_EQ(matches(compile(R"((?i:'s))"), "'s 'S '\xC5\xBF"), (List{"'s", "'S", "'\xC5\xBF"}));
  EXPECT_EQ(matches(compile("[\xE4\xB8\x80-\xE9\xBE\xA5]+"),
                    "a\xE4\xB8\x80\xE4\xBA\x8C"
                    "b"),
            (List{"\xE4\xB8\x80\xE4\xBA\x8C"}));
  EXPECT_EQ(matches(compile(R"(\p{L}+)"), "a\xE1\xB2\x8A!"), (List{"a\xE1\xB2\x8A"}));  // newer
  EXPECT_EQ(matches(compile(R"(a?+a|b)"), "ab"), (List{"b"}));
}

TEST(Pattern, CountsAnEmptyMatchButNotRightBehindAnother) {
  EXPECT_EQ(matches(compile("x*"), "xxa"), (List{"xx", ""}));
  EXPECT_EQ(matches(compile("(?=b)"), "abb"), (List{"", ""}));
}

TEST(Pattern, RefusesByNameWhatMeansSomethingElseInPcre) {
  const struct {
    const char *expression, *says;
  } cases[] = {
      {R"(\w+)", "\\w"},     {R"(\bx)", "\\b"},
      {R"(\h)", "\\h"},      {"^a", "anchor"},
      {"a$", "anchor"},      {"[a[b]]", "class inside"},
      {"[a&&b]", "&&"},      {"[[:alpha:]]", "class inside"},
      {"[]a]", "]"},         {"[a", "without an end"},
      {"a{2}+", "{}"},       {"a{2}?", "{}"},
      {"a{x", "{"},          {"(?m:a)", "(?m"},
      {"a(?i)b", "(?i"},     {"(?<n>a)", "(?<n"},
      {R"((a)\1)", "\\1"},   {R"(\p{Nonsense})", "Nonsense"},
      {R"(\pL)", "braces"},  {R"(\xff)", "\\x"},
      {"(*ACCEPT)", "(*AC"}, {"(a", "cannot be used"},
      {"a\\", "its end"},    {R"(\K)", "\\K"},
      {"\xFF", "UTF-8"},
  };
  for (const auto& c : cases) {
    const auto pattern = Pattern::compile(c.expression);
    ASSERT_FALSE(pattern) << c.expression;
    EXPECT_EQ(pattern.error().code, Code::kBadInput);
    EXPECT_NE(pattern.error().what.find(c.says), std::string::npos) << pattern.error().what;
  }
  EXPECT_FALSE(Pattern::compile(std::string(100'000, 'a')));
  EXPECT_FALSE(Pattern::compile(std::string(1000, '(') + std::string(1000, ')')));
}

TEST(Pattern, ReplacesAndKeepsBrokenBytes) {
  EXPECT_EQ(compile(R"(\s{2,})").replace("a  b\xFF \t c d", "_"), "a_b\xFF_c d");
  EXPECT_EQ(Pattern::literal("a.b")->replace("a.b axb", "$0"), "$0 axb");
}

// Each of these would take longer than the test may if nothing bounded it.
TEST(Pattern, GivesUpWhereMatchingHasNoEnd) {
  EXPECT_THROW(matches(compile("(q|q|qq)+[bc]"), std::string(60, 'q')), std::runtime_error);
  EXPECT_EQ(matches(compile("(a|b)+"), std::string(10'000, 'a')).size(), 1u);
  EXPECT_THROW(matches(compile("(?:(?=(?:q|q){0,16}!)x|.)"), std::string(20'000, 'q')),
               std::runtime_error)
      << "each match is below every limit, all of them are not";
  EXPECT_THROW(matches(compile("(?:q|q){0,16}[!?]"), std::string(20'000, 'q')), std::runtime_error)
      << "nor without a match";
}

// What a pattern that runs away does not find would be silently other words.
TEST(Pattern, NoLimitEndsASearchSilently) {
  for (const std::size_t size : {1000u, 100'000u, 1'000'000u}) {
    List found;
    try {
      found = matches(compile("(q|r)+|z"), std::string(size, 'q') + " z");
    } catch (const std::runtime_error&) {
      continue;
    }
    EXPECT_EQ(found, (List{std::string(size, 'q'), "z"})) << size;
  }
}

TEST(Pattern, RunawaysAreRefusedWhenTheyAreRead) {
  for (const char* expression : {R"((?:(?=(?:\p{L}|\p{L}){0,22}!)x|.))", R"((\s|\s)+[xy])",
                                 "(.|.)+[!?]x?", R"((?:\p{N}|\p{N}|1)+[xy])"}) {
    const auto pattern = Pattern::compile(expression);
    ASSERT_FALSE(pattern) << expression;
    EXPECT_NE(pattern.error().what.find("too many steps"), std::string::npos)
        << pattern.error().what;
  }
}

TEST(Pattern, LongPlainTextIsWithinTheLimits) {
  std::string text;
  List words;
  for (int i = 0; i < 20'000; ++i) {
    words.push_back((i == 0 ? "" : " ") + std::string(static_cast<std::size_t>(i % 40 + 1), 'q'));
    text += words.back();
  }
  const std::string spaces(200'000, ' '), letters(200'000, 'w');
  words.push_back(letters);
  EXPECT_EQ(matches(compile(R"( ?\p{L}+|\s+(?!\S)|\s+)"), text + spaces + letters).size(),
            words.size() + 1);
}

std::string random_text(Rng& rng) {
  static constexpr std::string_view kParts[] = {"'s",
                                                "'RE",
                                                "'\xC5\xBF",
                                                "'",
                                                " ",
                                                "  ",
                                                "\n",
                                                "\r\n",
                                                "\t",
                                                "\xC2\xA0",
                                                "\xE2\x80\xA8",
                                                "a",
                                                "Z",
                                                "\xC3\xA9",
                                                "\xE4\xB8\x80",
                                                "1",
                                                "12345",
                                                "\xD9\xA3",
                                                "\xC2\xBD",
                                                "!",
                                                "...",
                                                "\xF0\x9F\x98\x80",
                                                "\xCC\x81",
                                                "\xE1\xA0\x8E"};
  std::string text;
  for (std::uint64_t i = rng.below(14); i > 0; --i) {
    if (rng.below(8) > 0)
      text += kParts[rng.below(std::size(kParts))];
    else
      append_utf8(text, static_cast<char32_t>(rng.below(0x3000)));
  }
  return text;
}

TEST(WordScanner, FindsTheWordsOfItsExpressions) {
  for (KnownPattern known : {KnownPattern::kGpt2, KnownPattern::kLlama3, KnownPattern::kQwen2}) {
    EXPECT_EQ(known_pattern(expression_of(known)), known);
    const Pattern pattern = compile(expression_of(known));
    for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
      Rng rng(seed);
      const std::string text = random_text(rng);
      List words;
      split_words(known, text, [&](std::string_view word) { words.emplace_back(word); });
      ASSERT_EQ(words, matches(pattern, text)) << "seed " << seed;
    }
  }
  EXPECT_FALSE(known_pattern("a"));
}

TEST(WordScanner, BrokenBytesAreWordsOfTheirOwn) {
  List words;
  split_words(KnownPattern::kLlama3, "a\xFF\xFE b",
              [&](std::string_view word) { words.emplace_back(word); });
  EXPECT_EQ(words, (List{"a", "\xFF\xFE", " b"}));
}

}  // namespace
}  // namespace freshet
