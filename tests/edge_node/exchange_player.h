#pragma once
// An exchange and the effects of its last event, and what an honest coordinator would say to it.

#include <gtest/gtest.h>

#include <numeric>

#include "edge_node/exchange.h"

namespace freshet::exchange {

inline constexpr std::uint32_t kMembers = 8,
                               kQuorum = 6;  // floor(2 * 8 / 3) + 1; two may be corrupt
inline constexpr std::uint32_t kOwn = 3;

inline Members first(std::uint32_t count) {
  Members list(count);
  std::iota(list.begin(), list.end(), 0u);
  return list;
}
inline Members without(Members list, std::uint32_t member) {
  std::erase(list, member);
  return list;
}
inline Digest bytes(std::uint8_t name) {
  Digest digest{};
  digest[0] = name;
  return digest;
}
inline Terms terms() {
  return {bytes(1), CampaignId{5}, RoundId{2}, VersionId{7}, Rules{}, 120'000};
}
inline Roster roster() {
  return {bytes(2), kMembers, kOwn, kQuorum, kQuorum, without(first(kMembers), kOwn)};
}
inline Forwarded forwarded(const Members& sharers) {
  Forwarded event{sharers, {}, Instant{2}};
  for (const std::uint32_t from : without(sharers, kOwn)) event.boxes.push_back({from, true});
  return event;
}
inline QuorumArrived signatures_of(const Members& members) {
  QuorumArrived event{{}, Instant{9}};
  for (const std::uint32_t from : members) event.votes.push_back({from, true});
  return event;
}

// An exchange and the effects of its last event.
struct Player {
  Exchange x;
  std::vector<Effect> effects;
  bool accepted = true;

  explicit Player(Step begun) : x(std::move(begun.next)), effects(std::move(begun.effects)) {}
  Player() : Player(begin(terms(), Instant{0})) {}

  Player& take(const Event& event) {
    const Exchange before = x;
    Step stepped = step(x, event);
    if (!stepped.accepted) {
      EXPECT_TRUE(stepped.next == before);
      EXPECT_TRUE(stepped.effects.empty());
    }
    x = std::move(stepped.next);
    effects = std::move(stepped.effects);
    accepted = stepped.accepted;
    return *this;
  }
  template <class T>
  const T* effect() const {
    for (const Effect& e : effects)
      if (const auto* match = std::get_if<T>(&e)) return match;
    return nullptr;
  }
  template <class T>
  bool is() const {
    return std::holds_alternative<T>(x.phase);
  }
  // Over for this reason, with keys wiped and nothing else said than that.
  void expect_refused(std::string_view why, Declined declined) const {
    const auto* over = std::get_if<Over>(&x.phase);
    ASSERT_NE(over, nullptr) << name_of(x.phase);
    EXPECT_EQ(over->ending, Ending::kRefused);
    EXPECT_NE(over->why.find(why), std::string::npos) << over->why;
    ASSERT_EQ(effects.size(), 2u);
    ASSERT_NE(effect<SendDecline>(), nullptr);
    EXPECT_EQ(effect<SendDecline>()->why, declined);
    EXPECT_NE(effect<WipeKeys>(), nullptr);
  }
};

inline Player shared() { return Player().take(RosterChecked{roster(), Instant{1}}); }
inline Player masked(const Members& sharers = first(kMembers)) {
  Player p = shared();
  p.take(forwarded(sharers)).take(BaseSpent{Instant{3}});
  return p.take(FrameMade{{bytes(9), 100}, Instant{4}});
}
inline Player agreed(const Members& survivors = first(7)) {
  return masked().take(SurvivorsNamed{survivors, Instant{8}});
}
inline Player revealed() { return agreed().take(signatures_of(first(7))); }

}  // namespace freshet::exchange
