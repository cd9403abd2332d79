#include "membership/ledger_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/temp_folder.h"

namespace freshet {
namespace {

constexpr Budget kBudget{4, 1e-5};

Charge charge_of_round(std::uint64_t round) {
  Charge charge;
  charge.sid[0] = static_cast<std::uint8_t>(round);
  charge.round = {round};
  charge.multiplier = 3;
  charge.sampling_rate = .3;
  charge.survivors = 12;
  return charge;
}

class CampaignLedgers : public testing::Test {
 protected:
  Path file() const { return folder_ / "privacy.ledger"; }
  Result<LedgerFile> open(Budget budget = kBudget) const {
    return LedgerFile::open(file(), Ledger::Owner::kCampaign, budget);
  }
  std::vector<Charge> on_disk() const {
    Ledger ledger(Ledger::Owner::kCampaign);
    EXPECT_TRUE(read_records(file(), kCampaignLedger,
                             [&](ByteView record) { return ledger.take(record); }));
    return ledger.charges();
  }
  TempFolder folder_;
};

TEST_F(CampaignLedgers, AreOnDiskBeforeTheSumIsOpened) {
  LedgerFile ledger = open().value();
  const Spent first = ledger.charge(charge_of_round(1)).value();
  EXPECT_EQ(on_disk(), std::vector<Charge>{charge_of_round(1)});
  const Spent second = ledger.charge(charge_of_round(2)).value();
  EXPECT_GT(second.epsilon, first.epsilon);
  EXPECT_GT(second.epsilon_unamplified, second.epsilon);
  EXPECT_EQ(on_disk().size(), 2u);
}

TEST_F(CampaignLedgers, GoOnAfterARestartWhereTheyWere) {
  const Spent before = open()->charge(charge_of_round(1)).value();
  LedgerFile again = open().value();
  EXPECT_DOUBLE_EQ(again.ledger().spent().epsilon, before.epsilon);
  // The same round once more, as after a crash between the charge and the sum: free.
  EXPECT_DOUBLE_EQ(again.charge(charge_of_round(1))->epsilon, before.epsilon);
  EXPECT_EQ(on_disk().size(), 1u);
}

TEST_F(CampaignLedgers, EndACampaignAtItsEpsilon) {
  LedgerFile ledger = open().value();
  std::uint64_t round = 1;
  Result<Spent> spent = ledger.charge(charge_of_round(round));
  while (spent) spent = ledger.charge(charge_of_round(++round));
  EXPECT_EQ(spent.error().code, Code::kRefused);
  EXPECT_NE(spent.error().what.find("budget is spent"), std::string::npos);
  EXPECT_GT(round, 3u);
  EXPECT_EQ(on_disk().size(), round - 1);
  EXPECT_LE(ledger.ledger().spent().epsilon, 4);
  // A higher budget goes on, on the same ledger.
  { const LedgerFile closed = std::move(ledger); }
  EXPECT_TRUE(open({5, 1e-5})->charge(charge_of_round(round)));
}

TEST_F(CampaignLedgers, ForgetOnlyAChargeThatWasNotConfirmed) {
  {
    LedgerFile ledger = open().value();
    ASSERT_TRUE(ledger.charge(charge_of_round(1)));
    ASSERT_TRUE(ledger.charge(charge_of_round(2)));
  }
  std::filesystem::resize_file(file(), std::filesystem::file_size(file()) - 1);
  LedgerFile ledger = open().value();
  EXPECT_EQ(ledger.ledger().charges(), std::vector<Charge>{charge_of_round(1)});
}

// In a process of its own: the limit on file size cannot be raised again.
TEST_F(CampaignLedgers, ChargeNothingWhatTheDiskDoesNotTake) {
  open().value();
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    LedgerFile ledger = open().value();
    const auto size = static_cast<rlim_t>(std::filesystem::file_size(file()));
    const rlimit full{size + 20, size + 20};
    ::setrlimit(RLIMIT_FSIZE, &full);
    const auto charged = ledger.charge(charge_of_round(1));
    ::_exit(!charged && charged.error().code == Code::kNoSpace && ledger.ledger().charges().empty()
                ? 0
                : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(on_disk().empty());
}

// ---- of a node

Charge charge_of(std::uint64_t campaign, std::uint64_t round) {
  Charge charge;
  charge.sid[0] = static_cast<std::uint8_t>(round);
  charge.sid[1] = static_cast<std::uint8_t>(campaign);
  charge.campaign = {campaign};
  charge.round = {round};
  charge.multiplier = 3;
  charge.sampling_rate = .01;
  return charge;
}

class NodeLedgers : public testing::Test {
 protected:
  Result<LedgerFile> open(Budget budget = {8, 1e-5}) const {
    return LedgerFile::open(folder_ / "privacy.ledger", Ledger::Owner::kNode, budget);
  }
  TempFolder folder_;
};

TEST_F(NodeLedgers, BelieveNobodyThatSaysTheNodeWasSampled) {
  LedgerFile ledger = open().value();
  const Spent spent = ledger.charge(charge_of(1, 1)).value();
  const Release alone[] = {{.multiplier = 3}};
  EXPECT_DOUBLE_EQ(spent.epsilon, renyi_epsilon(alone, 1e-5));
  EXPECT_DOUBLE_EQ(spent.epsilon_unamplified, spent.epsilon);
}

TEST_F(NodeLedgers, AddUpOverCampaignsAndRestarts) {
  const Spent one = open()->charge(charge_of(1, 1)).value();
  LedgerFile ledger = open().value();
  EXPECT_DOUBLE_EQ(ledger.charge(charge_of(1, 1))->epsilon, one.epsilon);
  EXPECT_GT(ledger.charge(charge_of(2, 1))->epsilon, one.epsilon);
}

TEST_F(NodeLedgers, RefuseWhatPassesTheNodesOwnLimit) {
  LedgerFile ledger = open({2, 1e-5}).value();
  std::uint64_t campaign = 1;
  Result<Spent> spent = ledger.charge(charge_of(campaign, 1));
  while (spent) spent = ledger.charge(charge_of(++campaign, 1));
  EXPECT_EQ(spent.error().code, Code::kRefused);
  EXPECT_LE(ledger.ledger().spent().epsilon_unamplified, 2);
  EXPECT_EQ(ledger.ledger().charges().size(), campaign - 1);
}

// ---- of examples

Charge training(std::uint8_t number, std::uint64_t steps) {
  Charge charge;
  charge.sid[0] = number;
  charge.multiplier = 1.5;
  charge.sampling_rate = .04;
  charge.times = steps;
  return charge;
}

class ExampleLedgers : public testing::Test {
 protected:
  Result<LedgerFile> open(std::optional<Budget> budget) const {
    return LedgerFile::open(folder_ / "examples.ledger", Ledger::Owner::kExamples, budget);
  }
  TempFolder folder_;
};

TEST_F(ExampleLedgers, CountEveryStepOfATrainingWithAmplification) {
  LedgerFile ledger = open(Budget{8, 1e-5}).value();
  const Spent spent = ledger.charge(training(1, 2250)).value();
  EXPECT_NEAR(spent.epsilon, 7.329111171, 1e-6);  // row 1 of the accountants' table
  EXPECT_GT(spent.epsilon_unamplified, 100);
  EXPECT_DOUBLE_EQ(ledger.charge(training(1, 2250))->epsilon, spent.epsilon);  // goes on: free
  EXPECT_EQ(ledger.charge(training(1, 10)).error().code, Code::kBadInput);
  EXPECT_EQ(ledger.charge(training(2, 2250)).error().code, Code::kRefused);
  EXPECT_TRUE(ledger.charge(training(3, 100)));
}

TEST_F(ExampleLedgers, KeepTheirBudgetUntilAnotherIsGiven) {
  EXPECT_EQ(open(std::nullopt).error().code, Code::kBadInput);
  ASSERT_TRUE(open(Budget{3, 1e-6})->charge(training(1, 10)));
  const LedgerFile again = open(std::nullopt).value();
  EXPECT_EQ(again.ledger().budget(), (Budget{3, 1e-6}));
  EXPECT_EQ(again.ledger().charges(), std::vector<Charge>{training(1, 10)});
}

}  // namespace
}  // namespace freshet
