// Journal entries and snapshots of a campaign that come from anywhere, and event after event into
// step(). Input: u16 length of a snapshot and its bytes, then u8 length and bytes of one journal
// entry after another. A snapshot of one byte stands for a new masked campaign, one of two bytes
// for one of two groups.

#include "base/check.h"
#include "coordinator/campaign_record.h"

namespace freshet::campaign {
namespace {

constexpr std::size_t kEventsMax = 2'000;

const Rules kRules{3, 2, 4, 2, 1'000, 5'000, 100'000};

Rules masked_rules() {
  Rules rules{3, 4, 6, 1, 1'000, 60'000, 100'000, true, {}};
  rules.masking.honest_min = 2;
  return rules;
}

Rules group_rules() {
  Rules rules = masked_rules();
  rules.cohort_min = rules.cohort_max = 2;
  rules.groups = 2;
  return rules;
}

Campaign start_from(ByteView snapshot) {
  auto decoded = decode_campaign(snapshot);
  if (!decoded) {
    const Rules rules = snapshot.size() == 1   ? masked_rules()
                        : snapshot.size() == 2 ? group_rules()
                                               : kRules;
    return begin(CampaignId{1}, rules, Digest{}, Instant{0});
  }
  CHECK(encode(*decoded) == to_bytes(snapshot), "a snapshot has two forms");
  return std::move(*decoded);
}

ByteView take(ByteView& rest, std::size_t size) {
  size = std::min(size, rest.size());
  ByteView part = rest.first(size);
  rest = rest.subspan(size);
  return part;
}

void run(ByteView input) {
  if (input.size() < 2) return;
  const std::size_t size = input[0] | static_cast<std::size_t>(input[1]) << 8;
  input = input.subspan(2);
  Campaign state = start_from(take(input, size));
  for (std::size_t i = 0; i < kEventsMax && !input.empty(); ++i) {
    const std::size_t length = take(input, 1)[0];
    auto event = decode_event(take(input, length));
    if (!event) continue;
    const Bytes before = encode(state);
    Step stepped = step(std::move(state), *event);
    state = std::move(stepped.next);
    CHECK(stepped.accepted || !stepped.durable);
    const Bytes after = encode(state);
    CHECK(stepped.durable || after == before, "a change of kind {} is not durable", event->index());
    if (after != before)
      CHECK(decode_campaign(after).has_value(), "kind {} leads to no sound state", event->index());
    due(state, Instant{1'000}, 1);
    resume(state, Instant{1'000});
  }
}

}  // namespace
}  // namespace freshet::campaign

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  freshet::campaign::run({data, size});
  return 0;
}
