#include "model/text/personal/personal_data.h"

#include "base/check.h"
#include "model/text/personal/finders.h"

namespace freshet {
namespace {

constexpr std::array<std::string_view, kPersonalKinds> kKindNames{
    "e-mail", "phone", "card", "account", "address", "identity", "secret"};

struct Finder {
  PersonalKind kind;
  std::size_t (*end_at)(std::string_view text, std::size_t at);
};
// Forms that say more of themselves come first.
constexpr std::array<Finder, kPersonalKinds> kFinders{{
    {PersonalKind::kSecret, personal::secret_at},
    {PersonalKind::kEmail, personal::email_at},
    {PersonalKind::kAccount, personal::account_at},
    {PersonalKind::kAddress, personal::address_at},
    {PersonalKind::kCard, personal::card_at},
    {PersonalKind::kIdentity, personal::identity_at},
    {PersonalKind::kPhone, personal::phone_at},
}};

bool may_begin(std::string_view text, std::size_t at) {
  const char c = text[at];
  if (at > 0 && personal::is_word(text[at - 1])) return false;
  return personal::is_word(c) || c == '+' || c == '(' || c == '-';
}

std::string masked(std::string_view text, PersonalCounts& counts) {
  std::string result;
  std::size_t copied = 0;
  for (const PersonalSpan& span : find_personal(text)) {
    result.append(text, copied, span.begin - copied);
    result += "[" + std::string(name_of(span.kind)) + "]";
    copied = span.end;
    ++counts[static_cast<std::size_t>(span.kind)];
  }
  return result.append(text, copied);
}

}  // namespace

std::string_view name_of(PersonalKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

std::vector<PersonalSpan> find_personal(std::string_view text) {
  std::vector<PersonalSpan> spans;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!may_begin(text, at)) continue;
    for (const Finder& finder : kFinders) {
      const std::size_t end = finder.end_at(text, at);
      if (end == 0) continue;
      CHECK(end > at && end <= text.size(), "{} {} {}", at, end, text.size());
      spans.push_back({at, end, finder.kind});
      at = end - 1;
      break;
    }
  }
  return spans;
}

void mask_personal(Document& document, PersonalCounts& counts) {
  if (document.segments.empty()) {
    document.text = masked(document.text, counts);
    return;
  }
  std::string whole;
  std::string_view rest = document.text;
  for (Segment& segment : document.segments) {
    const std::string_view text = rest.substr(0, segment.bytes);
    rest.remove_prefix(segment.bytes);
    const std::string kept = segment.markup ? std::string(text) : masked(text, counts);
    segment.bytes = kept.size();
    whole += kept;
  }
  document.text = std::move(whole);
}

bool has_personal(const Document& document) { return !find_personal(document.text).empty(); }

}  // namespace freshet
