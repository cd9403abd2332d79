#include "base/json.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace freshet {
namespace {

std::string nested(std::size_t depth, char open = '[', char close = ']') {
  return std::string(depth, open) + std::string(depth, close);
}

TEST(ParseJson, BoundsTheDepthBeforeItBuildsAnything) {
  EXPECT_TRUE(parse_json(nested(limits::kJsonDepthMax), "x"));
  const auto refused = parse_json(nested(limits::kJsonDepthMax + 1), "config.json");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kBadInput);
  EXPECT_NE(refused.error().what.find("config.json"), std::string::npos);
  EXPECT_NE(refused.error().what.find("deeper"), std::string::npos);
  EXPECT_FALSE(parse_json(std::string(5'000'000, '['), "x")) << "nor crash on what is never closed";
  std::string objects;
  for (std::size_t i = 0; i <= limits::kJsonDepthMax; ++i) objects += "{\"a\":";
  EXPECT_NE(parse_json(objects, "x").error().what.find("deeper"), std::string::npos);
}

TEST(ParseJson, CountsNoBracketsInsideStrings) {
  const std::string text = "[\"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\"]";
  EXPECT_TRUE(parse_json(text, "x"));
  EXPECT_FALSE(parse_json("\"\\\\\"" + nested(limits::kJsonDepthMax + 1), "x"));
}

TEST(ParseJson, NamesItsSourceInEveryError) {
  for (const char* text : {"", "{", "[1,]", "nul", "{\"a\":1}x", "\"\xff\"", "1e999999"}) {
    const auto refused = parse_json(text, "plan");
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, Code::kBadInput);
    EXPECT_TRUE(refused.error().what.starts_with("plan: ")) << refused.error().what;
  }
}

TEST(ParseJson, SaysWhereAndQuotesNothing) {
  const std::pair<std::string, std::string> cases[] = {
      {"{\"a\":secret}", "x: not valid JSON (at byte 6)"},
      {"\"secret\xff\"", "x: not valid JSON (at byte 8)"},
      {"{\"secret", "x: not valid JSON (it ends too early, after byte 8)"},
      {"", "x: not valid JSON (it ends too early, after byte 0)"},
      {"1e999999", "x: not valid JSON (a number in it is too large)"},
  };
  for (const auto& [text, error] : cases) EXPECT_EQ(parse_json(text, "x").error().what, error);
}

TEST(JsonGet, GivesWhatIsThereInItsType) {
  const Json object =
      parse_json(R"({"i":-3,"u":7,"f":1.5,"b":true,"s":"x","a":[1,2],"big":18446744073709551615})",
                 "x")
          .value();
  EXPECT_EQ(json_get<int>(object, "i", "x").value(), -3);
  EXPECT_EQ(json_get<std::uint32_t>(object, "u", "x").value(), 7u);
  EXPECT_EQ(json_get<double>(object, "f", "x").value(), 1.5);
  EXPECT_EQ(json_get<double>(object, "u", "x").value(), 7.0) << "a whole number is a number";
  EXPECT_TRUE(json_get<bool>(object, "b", "x").value());
  EXPECT_EQ(json_get<std::string>(object, "s", "x").value(), "x");
  EXPECT_EQ(json_get<std::vector<int>>(object, "a", "x").value(), (std::vector<int>{1, 2}));
  EXPECT_EQ(json_get<std::uint64_t>(object, "big", "x").value(), ~std::uint64_t{0});
}

TEST(JsonGet, RefusesNumbersThatItsTypeCannotHold) {
  const Json object =
      parse_json(R"({"negative":-1,"large":4294967296,"huge":1e300,"half":0.5,"yes":true})", "x")
          .value();
  EXPECT_FALSE(json_get<std::uint32_t>(object, "negative", "x"));
  EXPECT_FALSE(json_get<std::uint64_t>(object, "negative", "x"));
  EXPECT_FALSE(json_get<std::uint32_t>(object, "large", "x"));
  EXPECT_FALSE(json_get<int>(object, "large", "x"));
  EXPECT_FALSE(json_get<int>(object, "huge", "x"));
  EXPECT_FALSE(json_get<int>(object, "half", "x"));
  EXPECT_FALSE(json_get<int>(object, "yes", "x"));
  EXPECT_FALSE(json_get<double>(object, "yes", "x"));
  EXPECT_FALSE(json_get<bool>(object, "negative", "x"));
}

TEST(JsonGet, SaysWhatIsMissingOrWrong) {
  const Json object = parse_json(R"({"rank":"eight","none":null})", "x").value();
  EXPECT_EQ(json_get<int>(object, "alpha", "adapter.json").error().what,
            "adapter.json: no \"alpha\"");
  EXPECT_NE(json_get<int>(object, "rank", "adapter.json")
                .error()
                .what.find("\"rank\" has the wrong type"),
            std::string::npos);
  EXPECT_FALSE(json_get<int>(Json::array(), "alpha", "x"));
  EXPECT_EQ(json_get_or<int>(object, "alpha", 4, "x").value(), 4);
  EXPECT_EQ(json_get_or<int>(object, "none", 4, "x").value(), 4);
  EXPECT_FALSE(json_get_or<int>(object, "rank", 4, "x"));
  EXPECT_FALSE(json_get_or<int>(Json::array(), "rank", 4, "x"));
}

TEST(JsonText, NeverThrowsOnBytesThatAreNoUtf8) {
  Json json;
  json["name"] = "a\xff\xfe";
  EXPECT_TRUE(parse_json(to_text(json), "x"));
}

}  // namespace
}  // namespace freshet
