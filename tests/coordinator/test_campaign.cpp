#include <gtest/gtest.h>

#include <map>

#include "base/limits.h"
#include "coordinator/campaign.h"
#include "coordinator/campaign_record.h"
#include "tests/coordinator/events.h"

namespace freshet::campaign {
namespace {

Rules small_rules() { return Rules{3, 2, 4, 2, 1'000, 5'000, 100'000}; }
// Of four nodes three must stay: one may be corrupt.
Rules masked_rules() {
  Rules rules{3, 4, 6, 1, 1'000, 60'000, 100'000, true, {}};
  rules.masking.honest_min = 2;
  return rules;
}

// Two masked sums of two make a version.
Rules group_rules() {
  Rules rules = masked_rules();
  rules.cohort_min = rules.cohort_max = 2;
  rules.masking.honest_min = 1;
  rules.groups = 2;
  rules.groups_min = 1;
  return rules;
}

Campaign fresh(const Rules& rules) {
  return begin(CampaignId{1}, rules, bytes_named("start"), Instant{0});
}

Campaign after(Campaign state, std::initializer_list<Event> events) {
  for (const Event& event : events) state = step(std::move(state), event).next;
  return state;
}

template <class T>
std::vector<T> only(const std::vector<Effect>& effects) {
  std::vector<T> found;
  for (const Effect& effect : effects)
    if (const auto* match = std::get_if<T>(&effect)) found.push_back(*match);
  return found;
}

// What every state must be, whatever came before.
void expect_sound(const Campaign& c) {
  if (const auto* gathering = std::get_if<Gathering>(&c.phase)) {
    EXPECT_EQ(gathering->ready, ready_count(c));
    EXPECT_EQ(gathering->enough_at.has_value(), gathering->ready >= cohort_needed(c));
  }
  if (const auto* summing = std::get_if<Summing>(&c.phase)) {
    EXPECT_GE(round::survivors(summing->round).size(), c.rules.survivors_min);
  }
  auto decoded = decode_campaign(encode(c));
  ASSERT_TRUE(decoded) << decoded.error().what;
  EXPECT_TRUE(*decoded == c);
}

TEST(Campaign, ReplayEqualsLiveForRandomEvents) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const Rules kinds[] = {small_rules(), masked_rules(), group_rules()};
    Campaign live = fresh(kinds[seed % 3]);
    Campaign shadow = live;
    Instant now{0};
    for (int i = 0; i < 200; ++i) {
      now = now + static_cast<std::int64_t>(rng.below(2'000));
      const Event event = random_event(live, rng, now);
      const Campaign before = live;
      Step stepped = step(live, event);
      if (!stepped.accepted) {
        EXPECT_TRUE(stepped.next == before && stepped.next.heard == before.heard) << event.index();
      }
      EXPECT_TRUE(!stepped.durable || stepped.accepted);
      live = std::move(stepped.next);
      if (stepped.durable) {
        ASSERT_TRUE(replay(shadow, encode(event)));
      }
      ASSERT_TRUE(shadow == live) << "event " << i << " of kind " << event.index();
      expect_sound(live);
      if (HasFailure()) return;
    }
  }
}

TEST(Campaign, RandomEventsReachEveryPhaseOfAMaskedRound) {
  std::map<std::string, int> visited;
  std::map<round::Base, int> bases;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    Campaign live = fresh(masked_rules());
    for (int i = 0; i < 300; ++i) {
      const Campaign before = live;
      live = step(std::move(live), random_event(live, rng, Instant{i})).next;
      if (const round::Round* open = open_round(live)) ++visited[std::string(name_of(open->phase))];
      if (live.given_up.size() > before.given_up.size()) ++bases[round::Base::kGivenUp];
      if (spent_count(live) > spent_count(before)) ++bases[round::Base::kSpent];
      if (live.version > before.version) ++visited["published"];
    }
  }
  for (const char* phase : {"advertising", "sharing", "collecting", "agreeing", "unmasking",
                            "aborting", "finished", "published"})
    EXPECT_GT(visited[phase], 10) << phase;
  EXPECT_GT(bases[round::Base::kGivenUp], 10);
  EXPECT_GT(bases[round::Base::kSpent], 10);
}

TEST(Campaign, RandomEventsCombineGroupsHoldVersionsBackAndTakeThemBack) {
  int combining = 0, of_groups = 0, repeated = 0, held_back = 0, asked = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    Campaign live = fresh(group_rules());
    for (int i = 0; i < 300; ++i) {
      const Campaign before = live;
      live = step(std::move(live), random_event(live, rng, Instant{i})).next;
      combining += std::holds_alternative<Combining>(live.phase) ? 1 : 0;
      held_back += !live.held_back.empty() && before.held_back.empty() ? 1 : 0;
      asked += live.rollback && !before.rollback ? 1 : 0;
      if (live.version == before.version) continue;
      ++(live.published.back().repeats ? repeated : of_groups);
      EXPECT_TRUE(live.groups.empty() && live.held_back.empty() && !live.rollback);
    }
  }
  for (const int times : {combining, of_groups, repeated, held_back, asked}) EXPECT_GT(times, 0);
}

TEST(Campaign, RandomEventsReachEveryPhase) {
  std::map<std::size_t, int> ends, visited;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    Campaign live = fresh(small_rules());
    for (int i = 0; i < 200; ++i) {
      live = step(std::move(live), random_event(live, rng, Instant{i})).next;
      ++visited[live.phase.index()];
    }
    ++ends[live.phase.index()];
  }
  EXPECT_EQ(visited.size(), std::variant_size_v<Phase> - 1)
      << "all but Combining, which is of groups";
  EXPECT_GT(ends[3], 0) << "some campaign finishes";
}

TEST(Campaign, ChoosesEveryReadyNodeEquallyOften) {
  Campaign ready = fresh(Rules{1, 2, 3, 1, 0, 1'000, 100'000});
  constexpr std::uint64_t kNodes = 10, kDraws = 3'000;
  for (std::uint64_t node = 1; node <= kNodes; ++node)
    ready = after(std::move(ready), {Ready{NodeId{node}, VersionId{0}, Instant{0}}});
  std::map<std::uint64_t, int> invited;
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
    Step stepped = step(ready, RoundOpened{Instant{1}, seed});
    auto invites = only<SendInvite>(stepped.effects);
    ASSERT_EQ(invites.size(), 3u);
    for (const SendInvite& invite : invites) ++invited[invite.node.value];
  }
  for (std::uint64_t node = 1; node <= kNodes; ++node)  // mean 900, standard deviation 25
    EXPECT_NEAR(invited[node], 900, 125) << "node " << node;
}

TEST(Campaign, TellsANodeThatIsReadyOnAnOldVersionWhereItIs) {
  Campaign c = after(
      fresh(small_rules()),
      {Ready{NodeId{1}, VersionId{0}, Instant{0}}, Ready{NodeId{2}, VersionId{0}, Instant{0}},
       RoundOpened{Instant{1}, 0}, Uploaded{NodeId{1}, RoundId{1}, bytes_named("a"), Instant{2}},
       Uploaded{NodeId{2}, RoundId{1}, bytes_named("b"), Instant{3}},
       Summed{RoundId{1}, VersionId{1}, bytes_named("one"), Instant{4}}});
  ASSERT_EQ(c.version, VersionId{1});
  Step stepped = step(c, Ready{NodeId{2}, VersionId{0}, Instant{5}});
  EXPECT_FALSE(stepped.durable);
  ASSERT_EQ(only<SendAnnounce>(stepped.effects).size(), 1u);
  EXPECT_EQ(ready_count(stepped.next), 0u);
}

TEST(Campaign, CommitsVersionAndRoundInOneEvent) {
  Campaign c = after(
      fresh(small_rules()),
      {Ready{NodeId{1}, VersionId{0}, Instant{0}}, Ready{NodeId{2}, VersionId{0}, Instant{0}},
       RoundOpened{Instant{1}, 0}, Uploaded{NodeId{1}, RoundId{1}, bytes_named("a"), Instant{2}}});
  // Not while the round collects, nor for another round or version.
  EXPECT_FALSE(step(c, Summed{RoundId{1}, VersionId{1}, bytes_named("x"), Instant{3}}).accepted);
  c = after(std::move(c), {Uploaded{NodeId{2}, RoundId{1}, bytes_named("b"), Instant{3}}});
  EXPECT_FALSE(step(c, Summed{RoundId{2}, VersionId{1}, bytes_named("x"), Instant{4}}).accepted);
  EXPECT_FALSE(step(c, Summed{RoundId{1}, VersionId{2}, bytes_named("x"), Instant{4}}).accepted);
  Step stepped = step(c, Summed{RoundId{1}, VersionId{1}, bytes_named("x"), Instant{4}});
  EXPECT_TRUE(stepped.durable);
  EXPECT_EQ(stepped.next.version, VersionId{1});
  EXPECT_EQ(open_round(stepped.next), nullptr);
  EXPECT_FALSE(
      step(stepped.next, Summed{RoundId{1}, VersionId{2}, bytes_named("x"), Instant{5}}).accepted);
}

TEST(Campaign, InvitesAgainAMemberThatDidNotHearOfIt) {
  Campaign c = after(fresh(small_rules()),
                     {Ready{NodeId{1}, VersionId{0}, Instant{0}},
                      Ready{NodeId{2}, VersionId{0}, Instant{0}}, RoundOpened{Instant{1}, 0}});
  Step stepped = step(c, Heartbeat{NodeId{2}, VersionId{0}, Activity::kReady, Instant{2'001}});
  auto invites = only<SendInvite>(stepped.effects);
  ASSERT_EQ(invites.size(), 1u);
  EXPECT_EQ(invites[0].remaining_ms, 3'000);
}

TEST(Campaign, KnowsOnlySoManyNodes) {
  Campaign c = fresh(small_rules());
  for (std::uint64_t node = 1; node <= limits::kKnownNodesMax; ++node)
    c.nodes[NodeId{node}] = Node{};
  Step stepped = step(std::move(c), Hello{NodeId{limits::kKnownNodesMax + 1}, Instant{0}});
  EXPECT_FALSE(stepped.accepted);
  auto refused = only<SendRefused>(stepped.effects);
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].code, Code::kUnavailable);
}

TEST(Campaign, ABannedNodeCausesNoMoreJournalEntries) {
  Campaign c = after(fresh(small_rules()),
                     {Ready{NodeId{1}, VersionId{0}, Instant{0}},
                      Ready{NodeId{2}, VersionId{0}, Instant{0}}, RoundOpened{Instant{1}, 0}});
  int journaled = 0;
  for (int i = 0; i < 100; ++i) {
    Step stepped =
        step(std::move(c), Uploaded{NodeId{9}, RoundId{1}, bytes_named("lie"), Instant{2 + i}});
    journaled += stepped.durable ? 1 : 0;
    c = std::move(stepped.next);
  }
  EXPECT_EQ(journaled, static_cast<int>(limits::kOffencesMax));
}

// A node that had three offences before its upload turned out to be spoiled had a fourth, which no
// snapshot could hold.
TEST(Campaign, OffencesStopAtTheLimit) {
  Campaign c =
      after(fresh(small_rules()),
            {Ready{NodeId{1}, VersionId{0}, Instant{0}}, Ready{NodeId{2}, VersionId{0}, Instant{0}},
             Ready{NodeId{3}, VersionId{0}, Instant{0}}, RoundOpened{Instant{1}, 0}});
  for (const char* name : {"a", "b", "c", "d"})
    c = after(std::move(c), {Uploaded{NodeId{1}, RoundId{1}, bytes_named(name), Instant{2}}});
  c = after(std::move(c), {Uploaded{NodeId{2}, RoundId{1}, bytes_named("x"), Instant{3}},
                           Uploaded{NodeId{3}, RoundId{1}, bytes_named("y"), Instant{3}},
                           Spoiled{RoundId{1}, {NodeId{1}}, Instant{4}}});
  EXPECT_EQ(c.nodes.at(NodeId{1}).offences, limits::kOffencesMax);
  expect_sound(c);
}

}  // namespace
}  // namespace freshet::campaign
