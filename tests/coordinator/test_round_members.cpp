// Who gets into a masked round, and what keeping a round of many costs the coordinator.

#include "base/limits.h"
#include "coordinator/round_papers.h"
#include "tests/coordinator/masked_fleet.h"

namespace freshet {
namespace {

// The first three enrolled lately, and come before those who make room for two of them.
TEST(RoundMembers, TakesNewcomersUpToTheirCapAndEndsNobodysRound) {
  MaskedFleet fleet(9);
  fleet.plan.masking.newcomers = {1, 4};
  for (std::size_t i = 3; i < fleet.nodes.size(); ++i) {
    Certificate old = fleet.authority.certificate_of(fleet.nodes[i].identity);
    old.enrolled_s = kNow - 30 * 24 * 3600;
    fleet.nodes[i].certificate = issue(old, fleet.authority.issuer);
  }
  fleet.all_ready();
  fleet.tick(0);
  fleet.deliver();
  EXPECT_EQ(fleet.phase(), "advertising");
  for (MaskedFleet::Node& node : fleet.nodes) {
    const Instant later = fleet.now + limits::kRetryMs;
    ASSERT_TRUE(node.round->feed(exchange::Tick{later}, later));
  }
  fleet.deliver();
  expect_published(fleet, all_but(9, {2}));
  EXPECT_EQ(fleet.ruined, "");
}

// What a round reads of its documents grows with its members and not with their square.
TEST(RoundMembers, ReadsADocumentForEachMemberOfAPhase) {
  const auto reads = [](std::size_t members) {
    MaskedFleet fleet(members);
    std::size_t signatures = 0;
    fleet.down = [&](std::size_t, const CoordinatorMessage& message) {
      if (const auto* quorum = std::get_if<Quorum>(&message))
        signatures = quorum->signatures.size();
      return true;
    };
    fleet.all_ready();
    fleet.tick(0);
    fleet.deliver();
    expect_published(fleet, all_but(members, {}));
    EXPECT_EQ(signatures, quorum_of(static_cast<std::uint32_t>(members), {1, 3}));
    return fleet.documents_read;
  };
  EXPECT_LE(reads(14), 2 * reads(7));
}

TEST(RoundPapers, ASharesKindIsOneOfTwo) {
  Bytes shares = papers::of_shares({{3, true, {}}, {4, false, {}}});
  EXPECT_TRUE(papers::shares_from(shares));
  shares[4] = 2;
  EXPECT_FALSE(papers::shares_from(shares));
}

}  // namespace
}  // namespace freshet
