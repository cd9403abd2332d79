#include "model/text/chat_template.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/files.h"
#include "base/json.h"
#include "base/limits.h"

namespace freshet {
namespace {

constexpr std::string_view kChatMl =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + "
    "'\n' }}{% endfor %}";

Result<ChatTemplate> chat_of(std::string_view text) {
  return ChatTemplate::parse({std::string(text), "<s>", "</s>"}, "config");
}

std::string error_of(std::string_view text) {
  const auto chat = chat_of(text);
  return chat ? "" : chat.error().what;
}

// The template that prints `expression` where a whole ChatML template stands around it.
std::string around(std::string_view expression) {
  return "{% if false %}<|im_start|><|im_end|>{% endif %}" + std::string(expression) +
         "{{ messages[1].content if messages|length > 1 else messages[0].content }}";
}

std::vector<Message> messages_of(const Json& json) {
  std::vector<Message> messages;
  for (const Json& one : json)
    messages.push_back({one["role"].get<std::string>(), one["content"].get<std::string>()});
  return messages;
}

std::vector<std::string> counted_of(const Document& document) {
  std::vector<std::string> counted;
  std::size_t at = 0;
  bool before = false;
  for (const Segment& segment : document.segments) {
    if (segment.counts && !before) counted.emplace_back();
    if (segment.counts) counted.back() += document.text.substr(at, segment.bytes);
    at += segment.bytes;
    before = segment.counts;
  }
  EXPECT_EQ(at, document.text.size());
  return counted;
}

class Golden : public testing::Test {
 protected:
  const Json golden_ =
      *parse_json(*read_file("tests/model/golden/chats.json", 1 << 20), "chats.json");

  ChatTemplate chat(std::size_t index) const {
    const Json& made = golden_["templates"][index];
    auto chat =
        ChatTemplate::parse({made["template"].get<std::string>(), made["bos"].get<std::string>(),
                             made["eos"].get<std::string>()},
                            made["name"].get<std::string>());
    if (!chat) throw std::runtime_error(chat.error().what);
    return std::move(*chat);
  }
};

TEST_F(Golden, FamiliesAreRecognised) {
  for (std::size_t i = 0; i < golden_["templates"].size(); ++i) {
    EXPECT_EQ(name_of(chat(i).family()), golden_["templates"][i]["family"].get<std::string>());
    EXPECT_EQ(chat(i).end_of_turn(), golden_["templates"][i]["end"].get<std::string>());
  }
}

TEST_F(Golden, ConversationsAreWhatJinjaPrints) {
  int refused = 0, compared = 0;
  for (const Json& one : golden_["cases"]) {
    const std::size_t index = one["template"].get<std::size_t>();
    const std::string name = golden_["templates"][index]["name"].get<std::string>();
    const auto document = chat(index).render(messages_of(one["messages"]));
    if (one.contains("error")) {
      ++refused;
      ASSERT_FALSE(document) << name;
      EXPECT_NE(document.error().what.find(one["error"].get<std::string>()), std::string::npos)
          << document.error().what;
      continue;
    }
    ++compared;
    ASSERT_TRUE(document) << name << ": " << document.error().what;
    EXPECT_EQ(document->text, one["text"].get<std::string>()) << name;
    const auto prompt = chat(index).render_prompt(messages_of(one["messages"]));
    ASSERT_TRUE(prompt) << name;
    EXPECT_EQ(prompt->text, one["prompt"].get<std::string>()) << name;
    EXPECT_TRUE(counted_of(*prompt).empty());
    if (one.contains("counted")) {
      EXPECT_EQ(counted_of(*document), one["counted"].get<std::vector<std::string>>()) << name;
    }
  }
  EXPECT_GT(refused, 4);
  EXPECT_GT(compared, 50);
}

TEST_F(Golden, OnlyWhatTheTemplateWroteIsMarkup) {
  for (std::size_t i = 0; i < golden_["templates"].size(); ++i) {
    const std::vector<Message> messages = {{"user", "AAA<|im_end|>"}, {"assistant", "BBB"}};
    const auto document = chat(i).render(messages);
    ASSERT_TRUE(document);
    std::size_t at = 0;
    std::string people;
    for (const Segment& segment : document->segments) {
      if (!segment.markup) people += document->text.substr(at, segment.bytes);
      at += segment.bytes;
    }
    EXPECT_NE(people.find("AAA<|im_end|>"), std::string::npos);
    EXPECT_NE(people.find("BBB"), std::string::npos);
    EXPECT_EQ(people.find("[INST]"), std::string::npos);
  }
}

TEST(ChatTemplate, OthersAreRefusedByName) {
  EXPECT_NE(error_of("{{ messages[0].content }} my own form").find("not one Freshet knows: ChatML"),
            std::string::npos);
  EXPECT_NE(error_of("{{ messages[0].content }} my own form").find("my own form"),
            std::string::npos);
  EXPECT_FALSE(ChatTemplate::parse({"[INST] [/INST] {{ eos_token }}", "", ""}, "config"));
  EXPECT_TRUE(chat_of(kChatMl));
}

TEST(ChatTemplate, WhatIsNotImplementedIsNamed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{% macro x() %}{% endmacro %}", "statement \"macro\""},
      {"{{ messages | tojson }}", "filter \"tojson\""},
      {"{{ strftime_now('%d') }}", "function \"strftime_now\""},
      {"{% if messages is prime %}{% endif %}", "test \"prime\""},
      {"{{ messages[0].content.casefold() }}", "casefold()"},
      {"{{ 'a' + 1 }}", "\"+\" between a text and a number"},
      {"{{ nothing.at_all }}", "undefined"},
      {"{{ 1 < 2 < 3 }}", "chain of comparisons"},
      {"{% set x %}a{% endset %}", "form of \"set\""},
  };
  for (const auto& [text, what] : cases)
    EXPECT_NE(error_of(around(text)).find(what), std::string::npos) << error_of(around(text));
}

TEST(ChatTemplate, BrokenTemplatesAreErrors) {
  for (const std::string_view text :
       {"{{", "{% if", "{% if x %}", "{% for x in %}", "{{ 'open }}", "{# open", "{% endfor %}",
        "{{ (1 }}", "{{ [1 }}", "{{ a[ }}", "{{ 99999999999999999999 }}", "{{ '\\u12' }}", "{{ }}",
        "{% %}", "{{ a b }}", "{{ a. }}", "{{ a | }}", "{{ ? }}"})
    EXPECT_NE(error_of(around(text)), "") << text;
}

TEST(ChatTemplate, WorkIsBounded) {
  const std::string nested = std::string(5000, '(') + "1" + std::string(5000, ')');
  EXPECT_NE(error_of(around("{{ " + nested + " }}")).find("deep"), std::string::npos);
  std::string chain = "1", ifs;
  for (int i = 0; i < 5000; ++i) {
    chain += "+1";
    ifs += "{% if 1 %}";
  }
  EXPECT_NE(error_of(around("{{ " + chain + " }}")).find("deep"), std::string::npos);
  EXPECT_NE(error_of(around(ifs)).find("deep"), std::string::npos);
  EXPECT_NE(error_of(around(std::string(limits::kTemplateBytesMax, ' '))).find("larger"),
            std::string::npos);

  std::string doubled = "{% set n = namespace(x='ab') %}";
  for (int i = 0; i < 60; ++i) doubled += "{% set n.x = n.x + n.x %}";
  EXPECT_NE(error_of(around(doubled)).find("too much text"), std::string::npos);
  std::string swollen = "{% set x = 'aaaaaaaa' %}";
  for (int i = 0; i < 60; ++i) swollen += "{% set x = x.replace('a', x) %}";
  EXPECT_NE(error_of(around(swollen)).find("too much text"), std::string::npos);

  auto loops = chat_of(around(
      "{% for a in messages %}{% for b in messages %}{% for c in messages %}{% endfor %}{% endfor "
      "%}{% endfor %}"));
  ASSERT_TRUE(loops) << loops.error().what;
  const std::vector<Message> many(2000, {"assistant", "x"});
  EXPECT_NE(loops->render(many).error().what.find("too m"), std::string::npos);
}

TEST(ChatTemplate, TextThatIsOnlyLookedAtCosts) {
  std::vector<Message> many(100, {"assistant", "x"});
  many[0].content = std::string(64 * 1024, 'x');
  for (const char* look :
       {"many|length", "'y' in many", "many == many", "many.startswith(many)", "many is eq(many)",
        "many.replace('y', 'z') is string", "many in [many]"}) {
    std::string expression = look;
    for (std::size_t at; (at = expression.find("many")) != std::string::npos;)
      expression.replace(at, 4, "messages[0].content");
    const std::string looks = "{% if " + expression + " %}{% endif %}";
    auto once = chat_of(around(looks));
    ASSERT_TRUE(once) << once.error().what;
    EXPECT_TRUE(once->render(many)) << look;
    auto often = chat_of(around("{% for a in messages %}{% for b in messages %}" + looks +
                                "{% endfor %}{% endfor %}"));
    ASSERT_TRUE(often) << often.error().what;
    const auto printed = often->render(many);
    ASSERT_FALSE(printed) << look;
    EXPECT_NE(printed.error().what.find("too m"), std::string::npos) << printed.error().what;
  }
}

TEST(ChatTemplate, NothingHoldsItself) {
  EXPECT_NE(error_of(around("{% set n = namespace(x=1) %}{% set n.x = [n] %}")), "");
  EXPECT_NE(error_of(around("{% set n = namespace(x=1) %}{% set n.x = n %}")), "");
  EXPECT_NE(error_of(around("{% set x = [[1]] %}")), "");
}

TEST(ChatTemplate, NumbersStayInRange) {
  const std::string most = "9223372036854775807";
  const std::vector<std::string> sums = {most + " + 1", "(-" + most + " - 1) - 1",
                                         most + " * 2", "1 % 0",
                                         "1 // 0",      "-(-" + most + " - 1)"};
  for (const std::string& sum : sums)
    EXPECT_NE(error_of(around("{{ " + sum + " }}")).find("these numbers"), std::string::npos)
        << sum;
  EXPECT_EQ(error_of(around("{{ (-" + most + " - 1) // 3 }}{{ -7 % 3 }}")), "");
}

TEST(ChatTemplate, NeedsAnAnswerToLearn) {
  const auto chat = chat_of(kChatMl);
  EXPECT_FALSE(chat->render(std::vector<Message>{{"user", "a"}}));
  EXPECT_FALSE(chat->render(std::vector<Message>{{"user", "a"}, {"assistant", ""}}));
  EXPECT_FALSE(chat->render({}));
}

TEST(ChatTemplate, OfAModelUsesItsTokenizersEnds) {
  const Tokenizer tokenizer = std::move(*Tokenizer::parse(*train_byte_level_bpe({}, 259), "bytes"));
  const auto chat = chat_of_model(
      "{% for m in messages %}{{ bos_token + '[INST] [/INST]' + m.content + eos_token }}{% endfor "
      "%}",
      tokenizer, "model");
  ASSERT_TRUE(chat) << chat.error().what;
  EXPECT_EQ(chat->render(std::vector<Message>{{"assistant", "a"}})->text, "<s>[INST] [/INST]a</s>");
  const auto none = chat_of_model(std::nullopt, tokenizer, "model");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().what.find("no chat template"), std::string::npos);
}

}  // namespace
}  // namespace freshet
