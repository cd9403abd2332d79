#include <gtest/gtest.h>

#include "coordinator/round.h"

namespace freshet::round {
namespace {

Digest bytes(std::uint8_t name) {
  Digest digest{};
  digest[0] = name;
  return digest;
}

Round of_three(std::uint32_t survivors_min) {
  return begin(RoundPlan{RoundId{1}, VersionId{0}, survivors_min}, Instant{100},
               {NodeId{1}, NodeId{2}, NodeId{3}});
}

// Steps and checks what holds for every step: a rejected event changes nothing.
std::vector<Effect> take(Round& round, const Event& event) {
  const Round before = round;
  Step stepped = step(round, event);
  EXPECT_EQ(stepped.accepted, stepped.next != before);
  round = std::move(stepped.next);
  return stepped.effects;
}

std::vector<Effect> upload(Round& round, std::uint64_t node, std::uint8_t name) {
  return take(round, Uploaded{NodeId{node}, bytes(name)});
}

TEST(Round, EndsEarlyWhenEveryMemberAnswered) {
  Round round = of_three(2);
  upload(round, 1, 1);
  upload(round, 2, 2);
  EXPECT_TRUE(std::holds_alternative<Collecting>(round.phase));
  upload(round, 3, 3);
  EXPECT_TRUE(std::holds_alternative<Finished>(round.phase));
  EXPECT_EQ(survivors(round).size(), 3u);
}

TEST(Round, FinishesAtTheDeadlineWithEnoughSurvivors) {
  Round round = of_three(2);
  upload(round, 3, 3);
  upload(round, 1, 1);
  take(round, DeadlinePassed{});
  EXPECT_TRUE(std::holds_alternative<Finished>(round.phase));
  const std::vector<Survivor> expected{{NodeId{1}, bytes(1)}, {NodeId{3}, bytes(3)}};
  EXPECT_EQ(survivors(round), expected);
}

TEST(Round, AbortsWhenSurvivorsFallBelowTheMinimum) {
  Round round = of_three(2);
  upload(round, 1, 1);
  take(round, DeadlinePassed{});
  ASSERT_TRUE(std::holds_alternative<Aborted>(round.phase));
  EXPECT_EQ(std::get<Aborted>(round.phase).why,
            "round 1: 1 of 3 nodes answered with a valid update, 2 are needed");
}

TEST(Round, AcceptsTheSameUploadAgainWithoutCountingItTwice) {
  Round round = of_three(2);
  upload(round, 1, 1);
  const Round once = round;
  std::vector<Effect> effects = upload(round, 1, 1);
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Accept>(effects[0]));
  EXPECT_EQ(round, once);
}

TEST(Round, KeepsTheFirstOfTwoDifferentUploadsAndChargesTheNode) {
  Round round = of_three(2);
  upload(round, 1, 1);
  std::vector<Effect> effects = upload(round, 1, 9);
  ASSERT_EQ(effects.size(), 1u);
  ASSERT_TRUE(std::holds_alternative<Refuse>(effects[0]));
  EXPECT_TRUE(std::get<Refuse>(effects[0]).offence);
  EXPECT_EQ(find(round, NodeId{1})->upload, bytes(1));
}

TEST(Round, RefusesANodeOutsideTheCohort) {
  Round round = of_three(2);
  std::vector<Effect> effects = upload(round, 4, 4);
  ASSERT_EQ(effects.size(), 1u);
  ASSERT_TRUE(std::holds_alternative<Refuse>(effects[0]));
  EXPECT_EQ(std::get<Refuse>(effects[0]).code, Code::kRefused);
  EXPECT_TRUE(survivors(round).empty());
}

TEST(Round, DoesNotWaitForVanishedMembersButTakesThemIfTheyComeBack) {
  Round round = of_three(1);
  take(round, Vanished{NodeId{2}});
  take(round, Vanished{NodeId{3}});
  upload(round, 3, 3);
  EXPECT_TRUE(std::holds_alternative<Collecting>(round.phase));
  upload(round, 1, 1);
  EXPECT_TRUE(std::holds_alternative<Finished>(round.phase));
  EXPECT_EQ(survivors(round).size(), 2u);
}

TEST(Round, WaitsForTheDeadlineWhenTooManyVanished) {
  Round round = of_three(2);
  upload(round, 1, 1);
  take(round, Vanished{NodeId{2}});
  take(round, Vanished{NodeId{3}});
  EXPECT_TRUE(std::holds_alternative<Collecting>(round.phase));
  upload(round, 2, 2);
  EXPECT_TRUE(std::holds_alternative<Finished>(round.phase));
}

TEST(Round, TakesNothingMoreOnceItIsOver) {
  Round round = of_three(1);
  upload(round, 1, 1);
  take(round, DeadlinePassed{});
  const Round over = round;
  std::vector<Effect> effects = upload(round, 2, 2);
  EXPECT_EQ(round, over);
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(std::get<Refuse>(effects[0]).code, Code::kExpired);
  take(round, DeadlinePassed{});
  take(round, Vanished{NodeId{3}});
  EXPECT_EQ(round, over);
}

TEST(Round, LeavesSpoiledUploadsOutOfTheSum) {
  Round round = of_three(2);
  for (std::uint8_t node : {1, 2, 3}) upload(round, node, node);
  std::vector<Effect> effects = take(round, Spoiled{{NodeId{2}, NodeId{8}}});
  EXPECT_EQ(effects.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Finished>(round.phase));
  const std::vector<Survivor> expected{{NodeId{1}, bytes(1)}, {NodeId{3}, bytes(3)}};
  EXPECT_EQ(survivors(round), expected);
}

TEST(Round, AbortsWhenTooManyUploadsAreSpoiled) {
  Round round = of_three(2);
  for (std::uint8_t node : {1, 2, 3}) upload(round, node, node);
  take(round, Spoiled{{NodeId{1}, NodeId{3}}});
  EXPECT_TRUE(std::holds_alternative<Aborted>(round.phase));
}

}  // namespace
}  // namespace freshet::round
