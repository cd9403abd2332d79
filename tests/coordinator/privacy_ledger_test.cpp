#include "coordinator/privacy_ledger.h"

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

class PrivacyLedgers : public testing::Test {
 protected:
  Path file() const { return folder_ / "privacy.ledger"; }
  std::vector<Charge> on_disk() const {
    Ledger ledger(Ledger::Owner::kCampaign);
    EXPECT_TRUE(read_records(file(), kCampaignLedger,
                             [&](ByteView record) { return ledger.take(record); }));
    return ledger.charges();
  }
  TempFolder folder_;
};

TEST_F(PrivacyLedgers, AreOnDiskBeforeTheSumIsOpened) {
  PrivacyLedger ledger = PrivacyLedger::open(file(), kBudget).value();
  const Spent first = ledger.charge(charge_of_round(1)).value();
  EXPECT_EQ(on_disk(), std::vector<Charge>{charge_of_round(1)});
  const Spent second = ledger.charge(charge_of_round(2)).value();
  EXPECT_GT(second.epsilon, first.epsilon);
  EXPECT_GT(second.epsilon_unamplified, second.epsilon);
  EXPECT_EQ(on_disk().size(), 2u);
}

TEST_F(PrivacyLedgers, GoOnAfterARestartWhereTheyWere) {
  const Spent before = PrivacyLedger::open(file(), kBudget)->charge(charge_of_round(1)).value();
  PrivacyLedger again = PrivacyLedger::open(file(), kBudget).value();
  EXPECT_DOUBLE_EQ(again.ledger().spent().epsilon, before.epsilon);
  // The same round once more, as after a crash between the charge and the sum: free.
  EXPECT_DOUBLE_EQ(again.charge(charge_of_round(1))->epsilon, before.epsilon);
  EXPECT_EQ(on_disk().size(), 1u);
}

TEST_F(PrivacyLedgers, EndACampaignAtItsEpsilon) {
  PrivacyLedger ledger = PrivacyLedger::open(file(), kBudget).value();
  std::uint64_t round = 1;
  Result<Spent> spent = ledger.charge(charge_of_round(round));
  while (spent) spent = ledger.charge(charge_of_round(++round));
  EXPECT_EQ(spent.error().code, Code::kRefused);
  EXPECT_NE(spent.error().what.find("budget is spent"), std::string::npos);
  EXPECT_GT(round, 3u);
  EXPECT_EQ(on_disk().size(), round - 1);
  EXPECT_LE(ledger.ledger().spent().epsilon, 4);
  // A higher budget goes on, on the same ledger.
  { const PrivacyLedger closed = std::move(ledger); }
  EXPECT_TRUE(PrivacyLedger::open(file(), {5, 1e-5})->charge(charge_of_round(round)));
}

TEST_F(PrivacyLedgers, ForgetOnlyAChargeThatWasNotConfirmed) {
  {
    PrivacyLedger ledger = PrivacyLedger::open(file(), kBudget).value();
    ASSERT_TRUE(ledger.charge(charge_of_round(1)));
    ASSERT_TRUE(ledger.charge(charge_of_round(2)));
  }
  std::filesystem::resize_file(file(), std::filesystem::file_size(file()) - 1);
  PrivacyLedger ledger = PrivacyLedger::open(file(), kBudget).value();
  EXPECT_EQ(ledger.ledger().charges(), std::vector<Charge>{charge_of_round(1)});
}

// In a process of its own: the limit on file size cannot be raised again.
TEST_F(PrivacyLedgers, ChargeNothingWhatTheDiskDoesNotTake) {
  PrivacyLedger::open(file(), kBudget).value();
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    PrivacyLedger ledger = PrivacyLedger::open(file(), kBudget).value();
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

}  // namespace
}  // namespace freshet
