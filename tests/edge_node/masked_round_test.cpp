#include "edge_node/masked_round.h"

#include "aggregation/pack.h"
#include "crypto/digest.h"
#include "tests/edge_node/masked_cohort.h"

namespace freshet {
namespace {

using exchange::Choice;
using exchange::Ending;

TEST(MaskedRound, GivesTheSumAndNothingElse) {
  MaskedCohort cohort(kNodes);
  cohort.advertise();
  cohort.share();
  const auto sharers = cohort.everybody();
  cohort.mask(sharers);
  const auto survivors = cohort.all_but(2);  // its vector came too late
  cohort.name(survivors);
  cohort.reveal(survivors);
  EXPECT_EQ(cohort.unmasked(sharers, survivors), cohort.plain(survivors));
  for (const std::uint32_t i : survivors) {
    const TestNode& node = cohort.nodes[i];
    EXPECT_FALSE(node.round->has_keys());
    EXPECT_EQ(node.charges, 1);
    ASSERT_TRUE(node.record);
    EXPECT_TRUE(node.record->left);
    EXPECT_EQ(node.record->choice, Choice::kSurvivors);
    EXPECT_EQ(node.record->members.size(), kNodes);
    const auto words = unpack(MaskedCohort::packed_of(node), kWords, 20).value();
    EXPECT_NE(words, node.words);
  }
}

TEST(MaskedRound, TheMaskedFrameIsSignedOverRoundSharersAndWords) {
  MaskedCohort cohort(kNodes);
  cohort.advertise();
  cohort.share();
  cohort.mask(cohort.everybody());
  const UploadChunk& chunk = *cohort.nodes[1].last<UploadChunk>();
  EXPECT_EQ(chunk.size, kFrameSignatureBytes + packed_bytes(kWords, 20));
  EXPECT_EQ(chunk.blob, digest_of(chunk.data));
  Signature signature;
  std::copy_n(chunk.data.begin(), signature.size(), signature.begin());
  const Bytes covered =
      signed_masked(sid_of(cohort.descriptor), index_list_digest(cohort.everybody()),
                    digest_of(MaskedCohort::packed_of(cohort.nodes[1])));
  EXPECT_TRUE(verify(cohort.nodes[1].identity.open.signing, kMaskedDomain, covered, signature));
}

TEST(MaskedRound, SendsTheSameBytesAgain) {
  MaskedCohort cohort(kNodes);
  cohort.advertise();
  TestNode& node = cohort.nodes[0];
  const auto again = [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const T before = *node.last<T>();
    const std::size_t count = node.count<T>();
    ASSERT_TRUE(node.round->feed(exchange::Reconnected{cohort.now}, cohort.now));
    EXPECT_EQ(node.count<T>(), count + 1);
    EXPECT_EQ(*node.last<T>(), before);
  };
  again(static_cast<Advertise*>(nullptr));
  cohort.share();
  again(static_cast<ShareBundle*>(nullptr));
  cohort.mask(cohort.everybody());
  again(static_cast<UploadChunk*>(nullptr));
  cohort.name(cohort.everybody());
  again(static_cast<AgreeSurvivors*>(nullptr));
  cohort.reveal(cohort.everybody());
  again(static_cast<Reveal*>(nullptr));
}

TEST(MaskedRound, TakesARosterInPages) {
  MaskedCohort cohort(kNodes);
  cohort.advertise();
  RosterPage first = cohort.page(), second = cohort.page();
  first.members.resize(3);
  second.first = 3;
  second.members.erase(second.members.begin(), second.members.begin() + 3);
  TestNode& node = cohort.nodes[4];
  ASSERT_TRUE(node.round->take(second, cohort.now));
  ASSERT_TRUE(node.round->take(second, cohort.now));
  EXPECT_EQ(node.last<ShareBundle>(), nullptr);
  ASSERT_TRUE(node.round->take(first, cohort.now));
  EXPECT_NE(node.last<ShareBundle>(), nullptr);
}

// Split survivors: one half is told that the other half dropped. Neither finds a quorum.
TEST(MaskedRound, TwoListsOfSurvivorsFindNoTwoQuorums) {
  MaskedCohort cohort(kNodes);
  cohort.advertise();
  cohort.share();
  cohort.mask(cohort.everybody());
  const auto one = cohort.all_but(0), other = cohort.all_but(1);
  for (const std::uint32_t i : {2u, 3u, 4u, 1u})
    ASSERT_TRUE(cohort.nodes[i].round->take(Survivors{sid_of(cohort.descriptor), one}, cohort.now));
  for (const std::uint32_t i : {5u, 6u, 7u, 0u})
    ASSERT_TRUE(
        cohort.nodes[i].round->take(Survivors{sid_of(cohort.descriptor), other}, cohort.now));
  // All signatures that there are, under whichever list: the foreign ones do not fit.
  ASSERT_TRUE(cohort.nodes[2].round->take(cohort.quorum(one), cohort.now));
  EXPECT_NE(cohort.nodes[2].over().why.find("does not fit"), std::string::npos);
  ASSERT_TRUE(cohort.nodes[3].round->take(cohort.quorum({1, 2, 3, 4}), cohort.now));
  EXPECT_NE(cohort.nodes[3].over().why.find("4 signatures"), std::string::npos);
  // And who signed one does not sign the other.
  ASSERT_TRUE(cohort.nodes[4].round->take(Survivors{sid_of(cohort.descriptor), other}, cohort.now));
  EXPECT_NE(cohort.nodes[4].over().why.find("second list"), std::string::npos);
  for (const TestNode& node : cohort.nodes) EXPECT_EQ(node.last<Reveal>(), nullptr);
}

// Its policy would refuse (the descriptor names what it has not loaded); were it not to, its masks
// are bound to what it loaded and do not cancel.
TEST(MaskedRound, AnotherModelForOneNodeGivesNoise) {
  MaskedCohort cohort(kNodes);
  cohort.other_model = &cohort.nodes[3];
  cohort.advertise();
  cohort.share();
  const auto all = cohort.everybody();
  cohort.mask(all);
  cohort.name(all);
  cohort.reveal(all);
  const auto sum = cohort.unmasked(all, all), plain = cohort.plain(all);
  std::size_t equal = 0;
  for (std::size_t i = 0; i < kWords; ++i) equal += (sum[i] ^ plain[i]) % (1u << 20) == 0 ? 1 : 0;
  EXPECT_LE(equal, 1u);
}

TEST(MaskedRound, AnAbortIsSignedOnceAndRecorded) {
  MaskedCohort cohort(kNodes);
  cohort.advertise();
  cohort.share();
  cohort.mask(cohort.everybody());
  const AskAbort ask{sid_of(cohort.descriptor), "too few"};
  TestNode& node = cohort.nodes[0];
  ASSERT_TRUE(node.round->take(ask, cohort.now));
  ASSERT_NE(node.last<AgreeAbort>(), nullptr);
  EXPECT_EQ(node.record->choice, Choice::kAbort);
  EXPECT_TRUE(node.record->left) << "an abort alone does not free the base";
  EXPECT_TRUE(verify(node.identity.open.signing, kAbortDomain, signed_abort(ask.sid),
                     node.last<AgreeAbort>()->signature));
  ASSERT_TRUE(node.round->take(Survivors{ask.sid, cohort.everybody()}, cohort.now));
  EXPECT_EQ(node.last<AgreeSurvivors>(), nullptr);
  // One that signed survivors does not sign the abort, nor after a restart.
  TestNode& other = cohort.nodes[1];
  ASSERT_TRUE(other.round->take(Survivors{ask.sid, cohort.everybody()}, cohort.now));
  ASSERT_TRUE(other.round->take(ask, cohort.now));
  EXPECT_EQ(other.last<AgreeAbort>(), nullptr);
  const auto never = [](const SpentBase&) -> Result<void> {
    ADD_FAILURE() << "recorded";
    return {};
  };
  EXPECT_FALSE(sign_recorded_abort(other.identity, *other.record, never));
}

TEST(MaskedRound, ACrashAfterSharesIsADropOutThatCanStillGiveUp) {
  MaskedCohort cohort(kNodes);
  cohort.advertise();
  cohort.share();
  TestNode& node = cohort.nodes[0];
  node.round.reset();  // and its keys with it
  ASSERT_TRUE(node.record);
  EXPECT_FALSE(node.record->left);
  const auto abort =
      sign_recorded_abort(node.identity, *node.record, [&](const SpentBase& spent) -> Result<void> {
        node.record = spent;
        return {};
      });
  ASSERT_TRUE(abort);
  EXPECT_EQ(node.record->choice, Choice::kAbort);
  // The others go on without it.
  const auto sharers = cohort.all_but(0);
  cohort.mask(sharers);
  cohort.name(sharers);
  cohort.reveal(sharers);
  EXPECT_EQ(cohort.unmasked(sharers, sharers), cohort.plain(sharers));
}

// I15: the same contribution once more, from the same base, only after a quorum gave the first up.
TEST(MaskedRound, ASecondRoundFromOneBaseTakesAQuorumOfAborts) {
  MaskedCohort cohort(kNodes);
  cohort.advertise();
  cohort.share();
  cohort.mask(cohort.everybody());
  const Digest first = sid_of(cohort.descriptor);
  const Bytes frame = cohort.nodes[0].last<UploadChunk>()->data;
  AbortCertificate certificate{first, {}};
  for (std::uint32_t i = 0; i < 6; ++i) {
    ASSERT_TRUE(cohort.nodes[i].round->take(AskAbort{first, ""}, cohort.now));
    certificate.signatures.push_back({i, cohort.nodes[i].last<AgreeAbort>()->signature});
  }
  cohort.descriptor.round = {2};
  const SpentBases::Asked asked{{3}, Digest{2}, {2}, sid_of(cohort.descriptor)};
  for (const TestNode& node : cohort.nodes) {
    EXPECT_FALSE(SpentBases::admit({node.record, node.record}, asked, {}));
    EXPECT_TRUE(SpentBases::admit({node.record, node.record}, asked, std::vector{certificate}));
  }
  certificate.signatures.pop_back();
  EXPECT_FALSE(SpentBases::admit({cohort.nodes[0].record, cohort.nodes[0].record}, asked,
                                 std::vector{certificate}));
  // Fresh masks: nothing of the first frame comes again.
  for (TestNode& node : cohort.nodes) node.record.reset();
  cohort.advertise();
  cohort.share();
  cohort.mask(cohort.everybody());
  EXPECT_NE(cohort.nodes[0].last<UploadChunk>()->data, frame);
  cohort.name(cohort.everybody());
  cohort.reveal(cohort.everybody());
  EXPECT_EQ(cohort.unmasked(cohort.everybody(), cohort.everybody()),
            cohort.plain(cohort.everybody()));
}

TEST(MaskedRound, DoesNotListenToOtherRounds) {
  MaskedCohort cohort(kNodes);
  cohort.advertise();
  TestNode& node = cohort.nodes[0];
  const std::size_t sent = node.sent.size();
  RosterPage page = cohort.page();
  page.sid = Digest{9};
  ASSERT_TRUE(node.round->take(page, cohort.now));
  ASSERT_TRUE(node.round->take(Forward{Digest{9}, {}, {}}, cohort.now));
  ASSERT_TRUE(node.round->take(Survivors{Digest{9}, {}}, cohort.now));
  ASSERT_TRUE(node.round->take(Quorum{Digest{9}, {}}, cohort.now));
  ASSERT_TRUE(node.round->take(AskAbort{Digest{9}, ""}, cohort.now));
  // Nor to what comes too early.
  ASSERT_TRUE(node.round->take(Forward{sid_of(cohort.descriptor), {}, {}}, cohort.now));
  ASSERT_TRUE(node.round->take(Quorum{sid_of(cohort.descriptor), {}}, cohort.now));
  EXPECT_EQ(node.sent.size(), sent);
  EXPECT_EQ(node.round->over(), nullptr);
}

}  // namespace
}  // namespace freshet
