#include <gtest/gtest.h>

#include "coordinator/campaign_record.h"
#include "tests/coordinator/events.h"

namespace freshet::campaign {
namespace {

Campaign busy_campaign() {
  Campaign c = begin(CampaignId{1}, Rules{3, 2, 4, 2, 1'000, 5'000, 100'000}, bytes_named("start"),
                     Instant{0});
  const Event events[] = {Ready{NodeId{1}, VersionId{0}, Instant{0}},
                          Ready{NodeId{2}, VersionId{0}, Instant{0}}, RoundOpened{Instant{1}, 0},
                          Uploaded{NodeId{1}, RoundId{1}, bytes_named("a"), Instant{2}}};
  for (const Event& event : events) c = step(std::move(c), event).next;
  return c;
}

TEST(CampaignRecord, DecodesWhatItEncodesToTheSameBytes) {
  Rng rng(7);
  const Campaign c = busy_campaign();
  for (int i = 0; i < 2'000; ++i) {
    const Event event =
        random_event(c, rng, Instant{static_cast<std::int64_t>(rng.below(1'000'000))});
    const Bytes entry = encode(event);
    auto decoded = decode_event(entry);
    ASSERT_TRUE(decoded) << decoded.error().what;
    EXPECT_EQ(decoded->index(), event.index());
    EXPECT_EQ(encode(*decoded), entry);
  }
}

TEST(CampaignRecord, TakesTheDeadlineOfARoundThatOpenedAtTheLatestInstant) {
  Campaign c = begin(CampaignId{1}, Rules{3, 2, 4, 2, 1'000, 5'000, 100'000}, bytes_named("start"),
                     Instant{0});
  const Instant latest{std::int64_t{1} << 53};
  ASSERT_TRUE(decode_event(encode(Event(RoundOpened{latest, 1}))));
  for (const Event& event :
       {Event(Ready{NodeId{1}, VersionId{0}, Instant{0}}),
        Event(Ready{NodeId{2}, VersionId{0}, Instant{0}}), Event(RoundOpened{latest, 1})})
    c = step(std::move(c), event).next;
  ASSERT_NE(open_round(c), nullptr);
  const auto decoded = decode_campaign(encode(c));
  ASSERT_TRUE(decoded) << decoded.error().what;
  EXPECT_EQ(*decoded, c);
}

// The bytes of an entry: version, 'E', kind, then the fields. If this changes, kMachineVersion
// must.
TEST(CampaignRecord, HasTheseBytes) {
  EXPECT_EQ(to_hex(encode(Event(Ready{NodeId{0x0102}, VersionId{3}, Instant{-2}}))),
            "03004502"
            "0201000000000000"
            "0300000000000000"
            "feffffffffffffff");
  EXPECT_EQ(to_hex(encode(Event(RoundOpened{Instant{5}, 6}))),
            "03004507"
            "0500000000000000"
            "0600000000000000" +
                std::string(128, '0'));
}

TEST(CampaignRecord, RefusesEveryTruncationAndEveryExtraByte) {
  for (const Bytes& whole :
       {encode(busy_campaign()), encode(Event(Spoiled{RoundId{1}, {NodeId{1}}, Instant{9}}))}) {
    const bool state = whole[2] == 'S';
    auto decodes = [&](ByteView bytes) {
      return state ? decode_campaign(bytes).has_value() : decode_event(bytes).has_value();
    };
    ASSERT_TRUE(decodes(whole));
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_FALSE(decodes(ByteView(whole).first(size))) << size << " of " << whole.size();
    Bytes longer = whole;
    longer.push_back(0);
    EXPECT_FALSE(decodes(longer));
  }
}

TEST(CampaignRecord, RefusesAnotherMachineVersionAndSaysSo) {
  Bytes snapshot = encode(busy_campaign());
  snapshot[0] = 1;
  auto decoded = decode_campaign(snapshot);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, Code::kCorrupt);
  EXPECT_NE(decoded.error().what.find("machine version 1"), std::string::npos)
      << decoded.error().what;
}

TEST(CampaignRecord, RefusesStatesThatNoCampaignReaches) {
  Campaign c = busy_campaign();
  c.version = VersionId{2};  // the open round starts from 0
  EXPECT_FALSE(decode_campaign(encode(c)));
  c = busy_campaign();
  std::get<Collecting>(c.phase).round.plan.id = RoundId{5};
  EXPECT_FALSE(decode_campaign(encode(c)));
  c = busy_campaign();
  c.phase = Gathering{Instant{0}, 1, std::nullopt};  // two are ready
  EXPECT_FALSE(decode_campaign(encode(c)));
  c = busy_campaign();
  c.rules.survivors_min = 0;
  EXPECT_FALSE(decode_campaign(encode(c)));
  c = busy_campaign();
  c.phase = Summing{std::get<Collecting>(c.phase).round};  // one survivor of two
  EXPECT_FALSE(decode_campaign(encode(c)));
}

TEST(CampaignRecord, RefusesVersionsThatDoNotFollowOneAnother) {
  const auto spoiled = [](auto change) {
    Campaign c = busy_campaign();
    change(c);
    return decode_campaign(encode(c)).has_value();
  };
  EXPECT_TRUE(spoiled([](Campaign&) {}));
  EXPECT_FALSE(spoiled([](Campaign& c) { c.published.clear(); }));
  EXPECT_FALSE(spoiled([](Campaign& c) { c.published.push_back(c.published[0]); }));
  EXPECT_FALSE(spoiled([](Campaign& c) { c.adapter = bytes_named("another"); }));
  EXPECT_FALSE(spoiled([](Campaign& c) {
    c.groups.push_back({RoundId{1}, {}, 2, {}});
  })) << "this campaign has no groups";
  EXPECT_FALSE(spoiled([](Campaign& c) { c.phase = Combining{}; }));
  EXPECT_FALSE(spoiled([](Campaign& c) { c.rollback = RolledBack{VersionId{1}, {}, {}}; }));
  EXPECT_TRUE(spoiled([](Campaign& c) { c.rollback = RolledBack{VersionId{0}, {}, {}}; }));
  EXPECT_FALSE(spoiled([](Campaign& c) { c.rules.groups = 0; }));
}

TEST(CampaignRecord, ReplayRefusesAnEntryThatChangesNothing) {
  Campaign c = busy_campaign();
  auto replayed =
      replay(c, encode(Event(Uploaded{NodeId{1}, RoundId{1}, bytes_named("a"), Instant{3}})));
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace freshet::campaign
