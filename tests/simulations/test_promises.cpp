// Each promise, broken once: a check that nothing can break would be no check.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "crypto/digest.h"
#include "simulations/masked/promises.h"

namespace freshet::sim {
namespace {

World world() {
  World world = world_of(1, {.nodes = 9, .rounds = 1, .masked = true}, false);
  for (NodeTraits& node : world.nodes) node = NodeTraits{};
  world.plan.masking.honest_min = 2;
  return world;
}

Descriptor descriptor(std::uint64_t round) {
  Descriptor d;
  d.round = RoundId{round};
  d.clip = 1;
  d.grid = Grid{0.5f, 12, 1};
  d.word_bits = 20;
  d.cohort_max = 9;
  return d;
}

exchange::Exchange agreed(const Descriptor& d, exchange::Members survivors) {
  exchange::Exchange exchange;
  exchange.terms.sid = sid_of(d);
  exchange::Agreed phase;
  phase.roster.members = 9;
  phase.roster.quorum = 7;
  phase.sharers = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  phase.survivors = std::move(survivors);
  exchange.phase = phase;
  return exchange;
}

const exchange::Members kAll = {0, 1, 2, 3, 4, 5, 6, 7, 8}, kFewer = {0, 1, 2, 3, 4, 5, 6, 7};

struct Promised {
  World fleet = world();
  Promises promises{fleet};
  Descriptor d = descriptor(1);
  Digest sid = sid_of(d), frame = digest_of(as_bytes("frame"));

  void expect(std::string_view number) {
    ASSERT_TRUE(promises.violation()) << number << " was not noticed";
    EXPECT_TRUE(promises.violation()->starts_with(number)) << *promises.violation();
  }
  void spend(const Descriptor& of) {
    promises.charged(0, sid_of(of));
    SpentBase spent;
    spent.sid = sid_of(of);
    spent.quorum = 7;
    spent.left = true;
    promises.recorded(0, spent);
  }
  UploadChunk chunk(const Digest& blob) const { return {d.campaign, d.round, blob, 3, 0, {1}}; }
};

TEST(Promises, HoldInAnHonestRound) {
  Promised p;
  const auto exchange = agreed(p.d, kAll);
  p.spend(p.d);
  p.promises.frame_made(0, p.d, p.frame);
  for (int times = 0; times < 2; ++times) {
    p.promises.sent(0, p.chunk(p.frame), exchange);
    p.promises.sent(0, AgreeSurvivors{}, exchange);
    p.promises.sent(0, Reveal{p.sid, {{1, true, {}}, {2, true, {}}}}, exchange);
  }
  EXPECT_FALSE(p.promises.violation()) << *p.promises.violation();
}

// A round of nine, all of whom have come, dealt shares and uploaded; so many signed the survivors.
round::Round nine(std::size_t agreed, std::size_t uploaded = 9) {
  round::Round round;
  round.plan.masked.emplace();
  round.plan.masked->rules.honest_min = 2;
  for (std::uint64_t node = 1; node <= 9; ++node) {
    round::Member member{NodeId{node}, std::nullopt, false, {}};
    if (node <= uploaded) member.upload = Digest{1};
    member.said[static_cast<std::size_t>(round::Document::kAdvert)] = Digest{2};
    if (node <= agreed)
      member.said[static_cast<std::size_t>(round::Document::kAgreement)] = Digest{3};
    round.cohort.push_back(member);
  }
  return round;
}

TEST(Promises, ASumOpenedWithoutItsSignatures) {
  Promised honest;
  honest.promises.opens(nine(7));
  EXPECT_FALSE(honest.promises.violation()) << *honest.promises.violation();
  Promised p;
  p.promises.opens(nine(6));
  p.expect("I1");
  Promised q;
  q.promises.opens(nine(7, 6));
  q.expect("I4");
}

TEST(Promises, ACoordinatorThatHoardsWhatItIsSent) {
  Promised honest;
  const campaign::Campaign state;
  honest.promises.holds(9 * round::kDocuments, state);
  EXPECT_FALSE(honest.promises.violation()) << *honest.promises.violation();
  Promised p;
  p.promises.holds((9 * round::kDocuments + 1) * limits::kUploadTriesMax + 1, state);
  p.expect("I11");
}

TEST(Promises, BothSharesOfOneMember) {
  Promised p;
  const auto exchange = agreed(p.d, kAll);
  p.promises.sent(0, AgreeSurvivors{}, exchange);
  p.promises.sent(0, Reveal{p.sid, {{1, true, {}}}}, exchange);
  p.promises.sent(0, Reveal{p.sid, {{1, false, {}}}}, exchange);
  p.expect("I2");
}

TEST(Promises, TwoListsOfSurvivors) {
  Promised p;
  p.promises.sent(0, AgreeSurvivors{}, agreed(p.d, kAll));
  p.promises.sent(0, AgreeSurvivors{}, agreed(p.d, kFewer));
  p.expect("I3");
}

TEST(Promises, SurvivorsAndAbort) {
  Promised p;
  p.promises.sent(0, AgreeSurvivors{}, agreed(p.d, kAll));
  p.promises.sent(0, AgreeAbort{}, agreed(p.d, kAll));
  p.expect("I3");
  Promised q;
  q.promises.sent(0, AgreeAbort{}, agreed(q.d, kAll));
  q.promises.sent(0, AgreeSurvivors{}, agreed(q.d, kAll));
  q.expect("I3");
}

TEST(Promises, ASecondVector) {
  Promised p;
  p.promises.frame_made(0, p.d, p.frame);
  p.promises.frame_made(0, p.d, Digest{});
  p.expect("I3");
  Promised q;
  q.spend(q.d);
  q.promises.frame_made(0, q.d, q.frame);
  q.promises.sent(0, q.chunk(Digest{}), agreed(q.d, kAll));
  q.expect("I3");
}

TEST(Promises, TooFewSurvivors) {
  Promised p;
  p.promises.sent(0, AgreeSurvivors{}, agreed(p.d, {0, 1, 2, 3, 4, 5}));
  p.expect("I4");
  Promised q;
  q.promises.sent(0, Reveal{}, agreed(q.d, kAll));
  q.expect("I4");
}

TEST(Promises, KeysThatOutliveTheirRound) {
  Promised p;
  exchange::Exchange over;
  over.phase = exchange::Over{};
  p.promises.left(over, true);
  p.expect("I5");
}

TEST(Promises, SignersOfDifferentThings) {
  Promised p;
  p.promises.sent(0, AgreeSurvivors{}, agreed(p.d, kAll));
  auto other = agreed(p.d, kAll);
  std::get<exchange::Agreed>(other.phase).roster.digest[0] = 1;
  p.promises.sent(1, AgreeSurvivors{}, other);
  p.expect("I6");
}

TEST(Promises, AVectorThatIsNotCharged) {
  Promised p;
  p.promises.frame_made(0, p.d, p.frame);
  p.promises.sent(0, p.chunk(p.frame), agreed(p.d, kAll));
  p.expect("I7");
}

TEST(Promises, ARevokedNodeInARoster) {
  Promised p;
  p.fleet.nodes[3].lie = Lie::kRevokedCertificate;
  p.promises.read(
      campaign::Said{id_of(p.fleet, 4 - 1), RoundId{1}, round::Document::kAdvert, {}, false, {}});
  p.expect("I9");
}

TEST(Promises, WordsThatWrap) {
  Promised p;
  p.d.word_bits = 15;
  p.promises.frame_made(0, p.d, p.frame);
  p.expect("I10");
}

TEST(Promises, AnHonestNodeIsCalledALiar) {
  Promised p;
  p.promises.read(campaign::Complained{id_of(p.fleet, 3), id_of(p.fleet, 4), RoundId{1}, {}});
  p.expect("I12");
  Promised q;
  q.promises.read(campaign::Ruined{RoundId{1}, "", {id_of(q.fleet, 1)}, {}});
  q.expect("I12");
}

TEST(Promises, ASecondVectorFromOneBase) {
  for (const std::size_t aborts : {6u, 7u}) {
    Promised p;
    p.spend(p.d);
    p.promises.frame_made(0, p.d, p.frame);
    for (std::size_t node = 0; node < aborts; ++node)
      p.promises.sent(node, AgreeAbort{}, agreed(p.d, kAll));
    p.promises.frame_made(0, descriptor(2), Digest{});
    if (aborts >= 7) {
      EXPECT_FALSE(p.promises.violation());
    } else {
      p.expect("I15");
    }
  }
}

TEST(Promises, TwoOpenedSumsFromOneBase) {
  Promised p;
  round::Round round;
  for (std::uint64_t node = 1; node <= 3; ++node)
    round.cohort.push_back({NodeId{node}, Digest{1}, false, {}});
  p.promises.published(round);
  EXPECT_FALSE(p.promises.violation());
  p.promises.published(round);
  p.expect("I15");
}

}  // namespace
}  // namespace freshet::sim
