// A coordinator that wants a second sum from one base: the difference of the two would be the
// update of whoever is in one of them alone.
#include "tests/simulations/puppet.h"

namespace freshet::sim {
namespace {

constexpr std::uint32_t kMembers = 9;  // 7 make a quorum

struct AfterVectors : Puppet {
  AfterVectors() : Puppet(kMembers) { run_to_vectors(); }
  SpentBases::Asked again(std::uint64_t round) const {
    return {descriptor.base, {}, RoundId{round}, Digest{9}};
  }
  AbortCertificate given_up(const Places& signers) const {
    AbortCertificate certificate{sid_of(descriptor), {}};
    for (const std::uint32_t i : signers)
      if (const auto* abort = heard<AgreeAbort>(i))
        certificate.signatures.push_back({i, abort->signature});
    return certificate;
  }
};

TEST(CheatingCoordinator, OpensASecondSumFromOneBase) {
  AfterVectors puppet;
  puppet.name_survivors(all_of(kMembers));
  puppet.send_quorum(all_of(kMembers));
  for (const auto& spent : puppet.spent) {
    ASSERT_TRUE(spent && spent->left);
    EXPECT_FALSE(SpentBases::admit({spent, spent}, puppet.again(2), {}));
    EXPECT_FALSE(SpentBases::admit({spent, spent}, puppet.again(1), {}));
  }
  // Having signed survivors, nobody signs that the round was given up.
  for (std::uint32_t i = 0; i < kMembers; ++i)
    puppet.say(i, AskAbort{sid_of(puppet.descriptor), "a crash, so to say"});
  EXPECT_EQ(puppet.count_all<AgreeAbort>(), 0u);
}

TEST(CheatingCoordinator, ClaimsACrashAndWantsTheVectorsAgain) {
  AfterVectors puppet;
  const std::vector<AbortCertificate> none;
  for (const auto& spent : puppet.spent)
    EXPECT_FALSE(SpentBases::admit({spent, spent}, puppet.again(2), none));
  for (std::uint32_t i = 0; i < kMembers; ++i)
    puppet.say(i, AskAbort{sid_of(puppet.descriptor), "a crash"});
  ASSERT_EQ(puppet.count_all<AgreeAbort>(), kMembers);
  auto admits = [&](AbortCertificate certificate) {
    const std::vector<AbortCertificate> all = {std::move(certificate)};
    return SpentBases::admit({puppet.spent[0], puppet.spent[0]}, puppet.again(2), all).has_value();
  };
  EXPECT_FALSE(admits(puppet.given_up({0, 1, 2, 3, 4, 5})));
  EXPECT_TRUE(admits(puppet.given_up({0, 1, 2, 3, 4, 5, 6})));
  AbortCertificate doubled = puppet.given_up({0, 1, 2, 3, 4, 5});
  doubled.signatures.push_back(doubled.signatures.back());
  EXPECT_FALSE(admits(doubled));
  AbortCertificate of_others = puppet.given_up(all_of(kMembers));
  of_others.sid[0] ^= 1;
  EXPECT_FALSE(admits(of_others));
  AbortCertificate misplaced = puppet.given_up(all_of(kMembers));
  std::swap(misplaced.signatures[0].signature, misplaced.signatures[1].signature);
  std::swap(misplaced.signatures[2].signature, misplaced.signatures[3].signature);
  EXPECT_FALSE(admits(misplaced));
  // Given up, and so never opened: who signed that reveals nothing of it any more.
  puppet.name_survivors(all_of(kMembers));
  EXPECT_EQ(puppet.count_all<AgreeSurvivors>(), 0u);
  puppet.send_quorum(all_of(kMembers));
  puppet.expect_nothing_revealed();
}

TEST(CheatingCoordinator, GivesTheSameAdapterTheNextVersionsNumber) {
  AfterVectors puppet;
  SpentBases::Asked next = puppet.again(2);
  next.version = VersionId{puppet.descriptor.base.value + 1};
  SpentBases::Notes notes{puppet.spent[0], puppet.spent[0]};
  EXPECT_FALSE(SpentBases::admit(notes, next, {}));  // the same adapter: the same base
  next.adapter[0] = 1;
  notes.masked.reset();  // nothing left from that one
  EXPECT_TRUE(SpentBases::admit(notes, next, {}));
}

}  // namespace
}  // namespace freshet::sim
