#include "model/text/personal/personal_data.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/rng.h"
#include "model/text/personal/check_digits.h"
#include "tests/model/shared_folder.h"

namespace freshet {
namespace {

std::string masked(std::string text) {
  Document document{std::move(text)};
  PersonalCounts counts{};
  mask_personal(document, counts);
  return document.text;
}

TEST(PersonalData, IsMaskedByItsKind) {
  const std::pair<const char*, const char*> cases[] = {
      {"Write to ada.l+x@mail.example.org.", "Write to [e-mail]."},
      {"<a@example.org>, b@c@example.org", "<[e-mail]>, b@[e-mail]"},
      {"+44 20 7946 0958, (555) 010-0199 or 01 23 45 67 89", "[phone], [phone] or [phone]"},
      {"call 555 0100!", "call [phone]!"},
      {"+4915112345678 and 555-010-0199x12", "[phone] and [phone]"},
      {"card 4111 1111 1111 1111, or 4111111111111111.", "card [card], or [card]."},
      {"DE89 3704 0044 0532 0130 00 is my account", "[account] is my account"},
      {"gb82west12345698765432", "[account]"},
      {"from 192.0.2.17 and 2001:db8::8a2e:370:7334.", "from [address] and [address]."},
      {"00:1b:44:11:3a:b7", "[address]"},
      {"SSN 078-05-1120, NINO AB 12 34 56 C", "SSN [identity], NINO [identity]"},
      {"DNI 12345678Z, RSSMRA85T10A562S", "DNI [identity], [identity]"},
      {"NIR 2 55 08 14 168 025 38", "NIR [identity]"},
      {"Aadhaar 2341 2341 2346", "Aadhaar [identity]"},
      {"PESEL: 44051401359; Steuer-ID 86095742719", "PESEL: [identity]; Steuer-ID [identity]"},
      {"key AKIAIOSFODNN7EXAMPLE", "key [secret]"},
      {"https://ada:pass@host.example/x", "https://[secret]@host.example/x"},
      {"-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nnext",
       "[secret]\nnext"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(masked(text), expected);
}

TEST(PersonalData, IsNotSeenInOtherNumbers) {
  for (const char* text :
       {"born 12.05.1984, seen 2004-04-16 at 12:30:45", "1.234.567 of 10 000 000 in 1999",
        "room 101, pages 123-456, ISBN 978-3-16-148410-0", "version 1.2.3.4.5 or 300.1.1.1",
        "card 4111 1111 1111 1112", "DE88 3704 0044 0532 0130 00", "3.14159265",
        "name@home, a@b, @example.org", "std::vector and a::b", "2003-2004-2005", "user:name",
        "44051401359 things", "x = 0x1234abcd"})
    EXPECT_EQ(masked(text), text);
}

TEST(PersonalData, CountsByKind) {
  Document document{"a@example.org b@example.org 192.0.2.1"};
  PersonalCounts counts{};
  mask_personal(document, counts);
  EXPECT_EQ(counts[static_cast<std::size_t>(PersonalKind::kEmail)], 2u);
  EXPECT_EQ(counts[static_cast<std::size_t>(PersonalKind::kAddress)], 1u);
  EXPECT_FALSE(has_personal(document));
  EXPECT_TRUE(has_personal({"mail a@example.org"}));
}

TEST(PersonalData, LeavesATemplatesMarkupAndKeepsSegmentsInStep) {
  Document document{"<a@example.org>write to a@example.org<end>", {}, true};
  document.segments = {{15, false, true}, {22, true, false}, {5, true, true}};
  PersonalCounts counts{};
  mask_personal(document, counts);
  EXPECT_EQ(document.text, "<a@example.org>write to [e-mail]<end>");
  EXPECT_EQ(document.segments[1].bytes, 17u);
}

// Of one digit changed no number passes but by what its check cannot see.
TEST(CheckDigits, SeeEveryDigitThatIsChanged) {
  struct Case {
    bool (*passes)(std::string_view);
    std::string number;
  };
  const Case cases[] = {
      {passes_luhn, "4111111111111111"},     {passes_mod97, "DE89370400440532013000"},
      {passes_verhoeff, "234123412346"},     {is_french_number, "255081416802538"},
      {is_german_tax_number, "86095742719"}, {is_polish_number, "44051401359"},
      {is_spanish_number, "12345678Z"},      {is_italian_code, "RSSMRA85T10A562S"}};
  for (const Case& each : cases) {
    EXPECT_TRUE(each.passes(each.number)) << each.number;
    for (std::size_t at = 0; at < each.number.size(); ++at) {
      std::string changed = each.number;
      changed[at] = changed[at] == '9' ? '1' : static_cast<char>(changed[at] + 1);
      EXPECT_FALSE(each.passes(changed)) << changed;
    }
    EXPECT_FALSE(each.passes("")) << each.number;
    EXPECT_FALSE(each.passes(each.number + "1")) << each.number;
  }
}

TEST(PersonalData, TakesAnyBytes) {
  Rng rng(7);
  constexpr std::string_view kBytes =
      "019aZ@.:+-()/ \n\xC3\xA9\xFF"
      "eyJ_x";
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (std::uint64_t i = rng.below(120); i > 0; --i) text += kBytes[rng.below(kBytes.size())];
    std::size_t last = 0;
    for (const PersonalSpan& span : find_personal(text)) {
      ASSERT_LE(last, span.begin);
      ASSERT_LT(span.begin, span.end);
      ASSERT_LE(span.end, text.size());
      last = span.end;
    }
  }
}

// Labelled sentences by somebody else, where they are there: what is found of the kinds that have a
// form, and what of that is right.
struct Tally {
  int found = 0, missed = 0, wrong = 0;
};

std::optional<PersonalKind> kind_of_label(const std::string& label) {
  static const std::map<std::string, PersonalKind> kKinds{
      {"EMAIL_ADDRESS", PersonalKind::kEmail}, {"PHONE_NUMBER", PersonalKind::kPhone},
      {"CREDIT_CARD", PersonalKind::kCard},    {"IBAN_CODE", PersonalKind::kAccount},
      {"IP_ADDRESS", PersonalKind::kAddress},  {"US_SSN", PersonalKind::kIdentity}};
  const auto found = kKinds.find(label);
  return found == kKinds.end() ? std::nullopt : std::optional(found->second);
}

void tally(const Json& row, Tally& all) {
  const std::string text = row["full_text"];
  std::vector<std::size_t> byte_of;  // labels count characters
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) byte_of.push_back(i);
  byte_of.push_back(text.size());
  const std::vector<PersonalSpan> spans = find_personal(text);
  std::vector<bool> right(spans.size());
  for (const Json& label : row["spans"]) {
    if (!kind_of_label(label["entity_type"])) continue;
    const std::size_t begin = byte_of.at(label["start_position"]),
                      end = byte_of.at(label["end_position"]);
    bool whole = false;
    for (std::size_t i = 0; i < spans.size(); ++i) {
      if (spans[i].begin < end && spans[i].end > begin) right[i] = true;
      whole = whole || (spans[i].begin <= begin && spans[i].end >= end);
    }
    ++(whole ? all.found : all.missed);
  }
  for (const bool each : right) all.wrong += each ? 0 : 1;
}

TEST(PersonalData, OfLabelledSentencesIsFoundAndLittleElse) {
  const auto shared = shared_folder();
  if (!shared) GTEST_SKIP() << "no shared folder beside the repository";
  const auto text = read_file(*shared / "pii/synth_dataset_v2.json", 64 << 20);
  ASSERT_TRUE(text) << text.error().what;
  const auto rows = parse_json(*text, "pii");
  ASSERT_TRUE(rows) << rows.error().what;
  Tally all;
  for (const Json& row : *rows) tally(row, all);
  const double recall = static_cast<double>(all.found) / (all.found + all.missed);
  const double precision = static_cast<double>(all.found) / (all.found + all.wrong);
  std::printf("personal data: recall %.3f, precision %.3f over %d labels\n", recall, precision,
              all.found + all.missed);
  EXPECT_GE(recall, 0.95);
  EXPECT_GE(precision, 0.95);
}

}  // namespace
}  // namespace freshet
