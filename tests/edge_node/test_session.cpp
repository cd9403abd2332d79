#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/rng.h"
#include "edge_node/session.h"

namespace freshet::session {
namespace {

constexpr CampaignId kCampaign{5};

Digest bytes(std::uint8_t name) {
  Digest digest{};
  digest[0] = name;
  return digest;
}
Base version(std::uint64_t number) {
  return Base{kCampaign, VersionId{number}, bytes(static_cast<std::uint8_t>(number)), 100};
}
Contribution from(std::uint64_t number) { return Contribution{version(number), bytes(77)}; }

// A session and the effects of its last event.
struct Player {
  Session session;
  std::vector<Effect> effects;
  bool accepted = false;

  Player& take(const Event& event) {
    const Session before = session;
    Step stepped = step(session, event);
    if (!stepped.accepted) {
      EXPECT_TRUE(stepped.next == before);
    }
    session = std::move(stepped.next);
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
    return std::holds_alternative<T>(session.phase);
  }
};

Player connected() { return Player{}.take(Connected{Instant{0}}); }

Player ready_on(std::uint64_t number) {
  Player p = connected();
  p.take(Announced{version(number), Instant{1}});
  p.take(BlobArrived{version(number).adapter, Instant{2}});
  p.take(Trained{from(number), Instant{3}});
  return p;
}

Player uploading(std::uint64_t number, RoundId round) {
  Player p = ready_on(number);
  p.take(Invited{kCampaign, round, VersionId{number}, 60'000, Instant{10}});
  p.take(Sealed{Upload{round, bytes(88), 50}, Instant{11}});
  return p;
}

TEST(Session, GoesTheWholeWay) {
  Player p = connected();
  EXPECT_NE(p.effect<SendHello>(), nullptr);
  p.take(Announced{version(0), Instant{1}});
  ASSERT_NE(p.effect<FetchBlob>(), nullptr);
  EXPECT_EQ(p.effect<FetchBlob>()->blob, version(0).adapter);
  p.take(BlobArrived{version(0).adapter, Instant{2}});
  ASSERT_NE(p.effect<StartTraining>(), nullptr);
  p.take(Trained{from(0), Instant{3}});
  ASSERT_NE(p.effect<SendReady>(), nullptr);
  p.take(Invited{kCampaign, RoundId{1}, VersionId{0}, 60'000, Instant{4}});
  ASSERT_NE(p.effect<SealUpload>(), nullptr);
  EXPECT_EQ(p.effect<SealUpload>()->contribution, from(0));
  p.take(Sealed{Upload{RoundId{1}, bytes(88), 50}, Instant{5}});
  ASSERT_NE(p.effect<SendUpload>(), nullptr);
  EXPECT_EQ(p.effect<SendUpload>()->offset, 0u);
  p.take(ChunkAcked{RoundId{1}, bytes(88), 30, Instant{6}});
  ASSERT_NE(p.effect<SendUpload>(), nullptr);
  EXPECT_EQ(p.effect<SendUpload>()->offset, 30u);
  p.take(ChunkAcked{RoundId{1}, bytes(88), 50, Instant{7}});
  EXPECT_TRUE(p.is<Waiting>());
  p.take(ReceiptArrived{kCampaign, RoundId{1}, true, VersionId{1}, Instant{8}});
  p.take(Announced{version(1), Instant{9}});
  ASSERT_NE(p.effect<DropContribution>(), nullptr);
  EXPECT_EQ(p.effect<DropContribution>()->base, VersionId{0});
  EXPECT_NE(p.effect<FetchBlob>(), nullptr);
  p.take(FinishedArrived{kCampaign, VersionId{1}, Instant{10}});
  EXPECT_TRUE(p.is<Done>());
  EXPECT_FALSE(p.take(Announced{version(1), Instant{11}}).accepted);
}

TEST(Session, DoesNotTrainAgainAfterARestartWithAContribution) {
  Player p;
  p.take(Restarted{from(3), std::nullopt, Instant{0}});
  EXPECT_TRUE(p.is<Ready>());
  p.take(Connected{Instant{1}});
  EXPECT_NE(p.effect<SendReady>(), nullptr);
  p.take(Announced{version(3), Instant{2}});
  EXPECT_EQ(p.effect<FetchBlob>(), nullptr);
  EXPECT_TRUE(p.is<Ready>());
  p.take(Announced{version(4), Instant{3}});
  EXPECT_NE(p.effect<DropContribution>(), nullptr);
  EXPECT_TRUE(p.is<Fetching>());
}

TEST(Session, SendsTheSameBytesAgainForTheSameRound) {
  Player p;
  const Upload sealed{RoundId{2}, bytes(88), 50};
  p.take(Restarted{from(0), sealed, Instant{0}}).take(Connected{Instant{0}});
  p.take(Invited{kCampaign, RoundId{2}, VersionId{0}, 60'000, Instant{1}});
  EXPECT_EQ(p.effect<SealUpload>(), nullptr);
  ASSERT_NE(p.effect<SendUpload>(), nullptr);
  EXPECT_EQ(p.effect<SendUpload>()->blob, bytes(88));
  // Another round is another seal, of the same contribution.
  p.take(Invited{kCampaign, RoundId{3}, VersionId{0}, 60'000, Instant{2}});
  ASSERT_NE(p.effect<SealUpload>(), nullptr);
  EXPECT_EQ(p.effect<SealUpload>()->contribution, from(0));
  // And there is no way back.
  EXPECT_FALSE(p.take(Invited{kCampaign, RoundId{2}, VersionId{0}, 60'000, Instant{3}}).accepted);
}

Player exchanging(std::uint64_t number, RoundId round) {
  Player p = ready_on(number);
  p.take(MaskedInvited{kCampaign, round, VersionId{number}, bytes(60), Instant{10}});
  return p;
}

TEST(Session, JoinsAMaskedRoundWithWhatItHas) {
  Player p = exchanging(0, RoundId{1});
  ASSERT_NE(p.effect<JoinExchange>(), nullptr);
  EXPECT_EQ(p.effect<JoinExchange>()->contribution, from(0));
  EXPECT_EQ(p.effect<JoinExchange>()->sid, bytes(60));
  EXPECT_EQ(activity_of(p.session), Activity::kUploading);
  // The same one again is the exchange's own affair; an earlier one is past.
  EXPECT_FALSE(
      p.take(MaskedInvited{kCampaign, RoundId{1}, VersionId{0}, bytes(60), Instant{11}}).accepted);
  EXPECT_FALSE(p.take(ExchangeEnded{bytes(61), false, Instant{12}}).accepted);
  p.take(ExchangeEnded{bytes(60), false, Instant{12}});
  EXPECT_TRUE(p.is<Ready>());
  EXPECT_NE(p.effect<SendReady>(), nullptr);
}

TEST(Session, LeavesAMaskedRoundForTheNextOne) {
  Player p = exchanging(0, RoundId{1});
  p.take(MaskedInvited{kCampaign, RoundId{2}, VersionId{0}, bytes(62), Instant{11}});
  ASSERT_NE(p.effect<LeaveExchange>(), nullptr);
  EXPECT_EQ(p.effect<LeaveExchange>()->sid, bytes(60));
  ASSERT_NE(p.effect<JoinExchange>(), nullptr);
  EXPECT_EQ(p.effect<JoinExchange>()->sid, bytes(62));
  p.take(Announced{version(1), Instant{12}});
  ASSERT_NE(p.effect<LeaveExchange>(), nullptr);
  EXPECT_EQ(p.effect<LeaveExchange>()->sid, bytes(62));
  EXPECT_NE(p.effect<DropContribution>(), nullptr);
  EXPECT_TRUE(p.is<Fetching>());
}

TEST(Session, WaitsForTheNextVersionAfterAPublishedMaskedRound) {
  Player p = exchanging(0, RoundId{1});
  p.take(ExchangeEnded{bytes(60), true, Instant{12}});
  EXPECT_TRUE(p.is<Waiting>());
  EXPECT_EQ(p.effect<SendReady>(), nullptr);
  p.take(Tick{Instant{12 + limits::kHeartbeatMs + limits::kRetryMs}});
  EXPECT_TRUE(p.is<Ready>()) << "no announcement came: it asks";
}

TEST(Session, JoinsNoMaskedRoundWithoutAContribution) {
  Player p = connected();
  p.take(Announced{version(0), Instant{1}});
  EXPECT_FALSE(
      p.take(MaskedInvited{kCampaign, RoundId{1}, VersionId{0}, bytes(60), Instant{2}}).accepted);
  p = ready_on(4);
  p.take(MaskedInvited{kCampaign, RoundId{1}, VersionId{3}, bytes(60), Instant{9}});
  EXPECT_TRUE(p.is<Ready>());
  EXPECT_NE(p.effect<SendReady>(), nullptr);
}

TEST(Session, IgnoresOldAnnouncements) {
  Player p = ready_on(4);
  EXPECT_FALSE(p.take(Announced{version(3), Instant{9}}).accepted);
  EXPECT_FALSE(p.take(Announced{version(4), Instant{9}}).accepted);
  Base other = version(4);
  other.adapter = bytes(99);  // the same version cannot have another adapter
  EXPECT_FALSE(p.take(Announced{other, Instant{9}}).accepted);
}

TEST(Session, SaysWhatItHasWhenInvitedForAnotherVersion) {
  Player p = ready_on(4);
  p.take(Invited{kCampaign, RoundId{1}, VersionId{3}, 60'000, Instant{9}});
  ASSERT_NE(p.effect<SendReady>(), nullptr);
  EXPECT_EQ(p.effect<SendReady>()->base, VersionId{4});
  EXPECT_TRUE(p.is<Ready>());
  EXPECT_EQ(p.effect<SealUpload>(), nullptr);
}

TEST(Session, StopsTrainingWhenANewerVersionIsAnnounced) {
  Player p = connected();
  p.take(Announced{version(0), Instant{1}}).take(BlobArrived{version(0).adapter, Instant{2}});
  p.take(Announced{version(1), Instant{3}});
  ASSERT_NE(p.effect<StopTraining>(), nullptr);
  EXPECT_EQ(p.effect<StopTraining>()->base, VersionId{0});
  // What the trainer still hands over is not kept.
  p.take(Trained{from(0), Instant{4}});
  EXPECT_FALSE(p.accepted);
  ASSERT_NE(p.effect<DropContribution>(), nullptr);
  EXPECT_EQ(p.effect<DropContribution>()->base, VersionId{0});
  EXPECT_TRUE(p.is<Fetching>());
}

TEST(Session, TriesTrainingAgainWithGrowingPausesThenGivesUpTheVersion) {
  Player p = connected();
  p.take(Announced{version(0), Instant{0}}).take(BlobArrived{version(0).adapter, Instant{0}});
  Instant now{0};
  std::int64_t pause = limits::kRetryMs * 2;
  for (std::uint32_t failure = 1; failure < limits::kTrainingFailuresMax; ++failure, pause *= 2) {
    p.take(TrainerFailed{VersionId{0}, now});
    p.take(Tick{now + (pause - 1)});
    EXPECT_EQ(p.effect<StartTraining>(), nullptr) << failure;
    now = now + pause;
    p.take(Tick{now});
    ASSERT_NE(p.effect<StartTraining>(), nullptr) << failure;
  }
  p.take(TrainerFailed{VersionId{0}, now});
  EXPECT_TRUE(p.is<Idle>());
  EXPECT_FALSE(p.take(Announced{version(0), now}).accepted);
  EXPECT_TRUE(p.take(Announced{version(1), now}).accepted);
}

TEST(Session, SendsAgainWhatWasNotAcknowledged) {
  Player p = uploading(0, RoundId{1});
  p.take(ChunkAcked{RoundId{1}, bytes(88), 20, Instant{100}});
  p.take(Tick{Instant{100 + limits::kRetryMs - 1}});
  EXPECT_EQ(p.effect<SendUpload>(), nullptr);
  p.take(Tick{Instant{100 + limits::kRetryMs}});
  ASSERT_NE(p.effect<SendUpload>(), nullptr);
  EXPECT_EQ(p.effect<SendUpload>()->offset, 20u);
}

TEST(Session, IsReadyAgainAfterAnAbortedRoundOrALostReceipt) {
  Player p = uploading(0, RoundId{1});
  p.take(ChunkAcked{RoundId{1}, bytes(88), 50, Instant{12}});
  ASSERT_TRUE(p.is<Waiting>());
  Player lost = p;
  p.take(ReceiptArrived{kCampaign, RoundId{1}, false, VersionId{0}, Instant{20}});
  EXPECT_TRUE(p.is<Ready>());
  EXPECT_NE(p.effect<SendReady>(), nullptr);
  lost.take(Tick{Instant{10 + 60'000 + limits::kRetryMs - 1}});
  EXPECT_TRUE(lost.is<Waiting>());
  lost.take(Tick{Instant{10 + 60'000 + limits::kRetryMs}});
  EXPECT_TRUE(lost.is<Ready>());
}

TEST(Session, StopsUploadingWhenItIsRefused) {
  Player p = uploading(0, RoundId{1});
  EXPECT_FALSE(p.take(RefusedArrived{Code::kExpired, Instant{20}}).accepted);
  p.take(RefusedArrived{Code::kRefused, Instant{20}});
  EXPECT_TRUE(p.is<Waiting>());
  p.take(Tick{Instant{30'000}});
  EXPECT_EQ(p.effect<SendUpload>(), nullptr);
}

TEST(Session, IgnoresAcksOfOtherBytesRoundsAndPlaces) {
  Player p = uploading(0, RoundId{1});
  EXPECT_FALSE(p.take(ChunkAcked{RoundId{2}, bytes(88), 20, Instant{20}}).accepted);
  EXPECT_FALSE(p.take(ChunkAcked{RoundId{1}, bytes(89), 20, Instant{20}}).accepted);
  EXPECT_FALSE(p.take(ChunkAcked{RoundId{1}, bytes(88), 51, Instant{20}}).accepted);
}

// Whatever is said to it, a session asks for training from a version at most once after it has a
// contribution from it, and what it seals is what was trained.
TEST(Session, NeverContributesTwiceFromOneVersionWhateverItIsTold) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    Player p = connected();
    std::optional<std::uint64_t> trained;  // highest version with a contribution
    Instant now{0};
    for (int i = 0; i < 300; ++i) {
      now = now + static_cast<std::int64_t>(rng.below(5'000));
      const std::uint64_t v = rng.below(4);
      const RoundId round{1 + rng.below(4)};
      const auto* training = std::get_if<Training>(&p.session.phase);
      switch (rng.below(10)) {
        case 0: p.take(Announced{version(v), now}); break;
        case 1: p.take(BlobArrived{version(v).adapter, now}); break;
        case 2: p.take(Trained{from(v), now}); break;
        case 3: p.take(TrainerFailed{VersionId{v}, now}); break;
        case 4: p.take(Invited{kCampaign, round, VersionId{v}, 10'000, now}); break;
        case 5:
          p.take(Sealed{Upload{round, bytes(static_cast<std::uint8_t>(round.value)), 9}, now});
          break;
        case 6:
          p.take(
              ChunkAcked{round, bytes(static_cast<std::uint8_t>(round.value)), rng.below(11), now});
          break;
        case 7:
          p.take(ReceiptArrived{kCampaign, round, rng.below(2) == 0, VersionId{v}, now});
          break;
        case 8: p.take(Connected{now}); break;
        default: p.take(Tick{now}); break;
      }
      if (training != nullptr && p.is<Ready>()) trained = base_of(p.session)->version.value;
      if (const auto* start = p.effect<StartTraining>()) {
        EXPECT_TRUE(!trained || start->base.version.value > *trained);
      }
      if (const auto* seal = p.effect<SealUpload>()) {
        EXPECT_EQ(seal->contribution.base.version.value, trained);
      }
      if (HasFailure()) return;
    }
  }
}

TEST(Session, AContributionOfForgottenTextIsForNoLaterRound) {
  Player p = ready_on(1);
  p.take(Forgot{Instant{10}});
  EXPECT_TRUE(p.is<Idle>());
  ASSERT_NE(p.effect<DropContribution>(), nullptr);
  p.take(Tick{Instant{10}});
  EXPECT_NE(p.effect<SendHello>(), nullptr);
  p.take(Announced{version(1), Instant{11}});  // the same version, trained from again
  EXPECT_TRUE(p.is<Fetching>());
}

TEST(Session, ARoundUnderWayEndsBeforeWhatItTookIsForgotten) {
  Player p = ready_on(1);
  p.take(MaskedInvited{kCampaign, RoundId{4}, VersionId{1}, bytes(9), Instant{10}});
  ASSERT_TRUE(p.is<Exchanging>());
  p.take(Forgot{Instant{11}});
  EXPECT_TRUE(p.is<Exchanging>());
  EXPECT_EQ(p.effect<DropContribution>(), nullptr);
  p.take(ExchangeEnded{bytes(9), false, Instant{12}});
  EXPECT_TRUE(p.is<Idle>());
  EXPECT_NE(p.effect<DropContribution>(), nullptr);
  EXPECT_FALSE(p.session.forgot);
}

TEST(Session, NothingIsForgottenWhereNothingIsHeld) {
  EXPECT_FALSE(connected().take(Forgot{Instant{1}}).accepted);
}

// Whoever sleeps until due() misses nothing.
TEST(Session, DoesNothingBeforeItIsDue) {
  std::vector<Player> players{connected(), ready_on(1)};
  Player fetching = connected();
  fetching.take(Announced{version(1), Instant{1}});
  players.push_back(fetching);
  Player failed = fetching;
  failed.take(BlobArrived{version(1).adapter, Instant{2}});
  players.push_back(failed);  // training
  failed.take(TrainerFailed{VersionId{1}, Instant{3}});
  players.push_back(failed);
  Player uploading = ready_on(1);
  uploading.take(Invited{kCampaign, RoundId{4}, VersionId{1}, 3000, Instant{4}});
  players.push_back(uploading);
  Player exchanging = ready_on(1);
  exchanging.take(MaskedInvited{kCampaign, RoundId{4}, VersionId{1}, bytes(9), Instant{10}});
  players.push_back(exchanging);
  exchanging.take(ExchangeEnded{bytes(9), true, Instant{12}});
  players.push_back(exchanging);
  EXPECT_FALSE(due(Session{}));
  for (Player& player : players) {
    for (int turn = 0; turn < 20; ++turn) {
      const auto at = due(player.session);
      ASSERT_TRUE(at);
      player.take(Tick{*at + -1});
      EXPECT_FALSE(player.accepted) << player.session.phase.index() << " at " << at->ms;
      player.take(Tick{*at});
      EXPECT_TRUE(player.accepted) << player.session.phase.index() << " at " << at->ms;
    }
  }
}

}  // namespace
}  // namespace freshet::session
