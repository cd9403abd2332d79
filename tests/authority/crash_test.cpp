// An authority that dies at each of its writes, before or after it is durable, and is started
// again. Whoever got no answer asks again.

#include <functional>

#include "tests/authority/fleet.h"

namespace freshet::authority {
namespace {

using Fault = MemoryJournal::Fault;

// Runs `step` until it succeeds; every failure is a crash of the authority.
template <class Step>
auto insist(Fleet& fleet, Step step) {
  auto result = step();
  for (int tries = 0; !result && tries < 3; ++tries) {
    fleet.open();
    result = step();
  }
  EXPECT_TRUE(result) << result.error().what;
  return result;
}

// One life of a fleet, with the n-th write failing. False: there are fewer writes than that.
bool live_through(std::uint64_t n, Fault fault) {
  Fleet fleet(false);
  fleet.journal().fail_write(n, fault);
  bool crashed = false;
  const auto watched = [&crashed](auto result) {
    crashed |= !result.has_value();
    return result;
  };
  const auto step = [&](const std::function<Result<void>()>& what) {
    (void)insist(fleet, [&] { return watched(what()); });
  };
  step([&]() -> Result<void> {
    if (fleet.office().registry().root()) return {};
    return fleet.office().found(fleet.root().open.signing);
  });
  step([&]() -> Result<void> {
    if (fleet.office().in_office()) return {};
    return fleet.add_issuer(1);
  });
  const Invitation invitation{
      .label = "kitchen", .authority_at = "tcp://a:1", .coordinator_at = {}};
  const JoinToken token = std::move(
      *insist(fleet, [&] { return watched(fleet.office().invite(invitation, fleet.now_s)); }));
  const Identity node = Identity::generate(), thief = Identity::generate(),
                 next = Identity::generate();

  // The reply of a write that failed is lost; both ask, in turns.
  Answer first, again, thieves, rotated;
  step([&]() -> Result<void> {
    TRY_ASSIGN(first, fleet.ask(make_join(token.secret, Role::kNode, node), node));
    return {};
  });
  step([&]() -> Result<void> {
    TRY_ASSIGN(thieves, fleet.ask(make_join(token.secret, Role::kNode, thief), thief));
    return {};
  });
  step([&]() -> Result<void> {
    TRY_ASSIGN(again, fleet.ask(make_join(token.secret, Role::kNode, node), node));
    return {};
  });
  EXPECT_EQ(certificate_in(first), certificate_in(again));
  expect_denied(thieves, Code::kRefused, "used by another party");
  EXPECT_EQ(fleet.office().registry().parties().size(), 1u);

  step([&]() -> Result<void> {
    TRY_ASSIGN(rotated, fleet.ask(make_rotate(node, next), next));
    return {};
  });
  EXPECT_EQ(fleet.check(certificate_in(rotated))->epoch, 2u);
  step([&] { return fleet.office().revoke(node.open.id(), fleet.now_s); });
  EXPECT_FALSE(fleet.check(certificate_in(rotated)));

  fleet.open();  // what is durable says the same
  EXPECT_EQ(fleet.office().registry().parties().size(), 1u);
  EXPECT_TRUE(fleet.office().registry().party(node.open.id())->revoked);
  EXPECT_FALSE(fleet.check(certificate_in(rotated)));
  return crashed;
}

TEST(Crash, AtAnyWriteLeavesATokenUsedOnceAndALostReplyHarmless) {
  for (Fault fault : {Fault::kLost, Fault::kKept}) {
    std::uint64_t n = 1;
    while (live_through(n, fault)) ++n;
    EXPECT_GE(n, 7u) << "found, issuer, list, invite, join, rotate, revoke";
  }
}

Bytes certificate_of(std::uint64_t serial) {
  const Identity party = Identity::generate(), issuer = Identity::generate();
  return issue({.role = Role::kNode,
                .serial = serial,
                .device = party.open.id(),
                .keys = party.open,
                .not_before_s = kStart,
                .not_after_s = kStart + kDay,
                .enrolled_s = kStart,
                .epoch = 1,
                .capabilities = kMayContribute,
                .issuer = issuer.open.signing},
               issuer);
}

TEST(Crash, OfAJournalThatDoesNotFitIsSaid) {
  const auto open = [](const std::vector<Record>& records) {
    MemoryJournal journal;
    for (const Record& record : records) EXPECT_TRUE(journal.append(encode(record)));
    return Office::open(journal, {Identity::generate(), Secret::random(32)}, {}).has_value();
  };
  const Founded founded{Identity::generate().open.signing};
  EXPECT_TRUE(open({founded}));
  EXPECT_FALSE(open({founded, founded}));
  EXPECT_FALSE(open({founded, Enrolled{}}));
  EXPECT_FALSE(open({founded, Revoked{}}));
  EXPECT_FALSE(open({founded, Held{}}));
  EXPECT_FALSE(open({founded, Invited{}, Invited{}}));
  EXPECT_FALSE(open({founded, ListHead{5, 0, 1}, ListHead{5, 0, 1}}));
  const Invited invited{Digest{1}, Role::kNode, "", kStart, false};
  const Enrolled first{Digest{1}, certificate_of(1)}, second{Digest{1}, certificate_of(2)};
  EXPECT_TRUE(open({founded, invited, first}));
  EXPECT_FALSE(open({founded, invited, first, second})) << "one token, two parties";
  EXPECT_FALSE(open({founded, first}));
  MemoryJournal garbage;
  ASSERT_TRUE(garbage.append(Bytes{99}));
  const auto opened = Office::open(garbage, {Identity::generate(), Secret::random(32)}, {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace freshet::authority
