#include "edge_node/lifetime_ledger.h"

#include <gtest/gtest.h>

#include "tests/temp_folder.h"

namespace freshet {
namespace {

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

class LifetimeLedgers : public testing::Test {
 protected:
  Path file() const { return folder_ / "privacy.ledger"; }
  TempFolder folder_;
};

TEST_F(LifetimeLedgers, BelieveNobodyThatSaysTheNodeWasSampled) {
  LifetimeLedger ledger = LifetimeLedger::open(file(), {8, 1e-5}).value();
  const Spent spent = ledger.charge(charge_of(1, 1)).value();
  const Release alone[] = {{.multiplier = 3}};
  EXPECT_DOUBLE_EQ(spent.epsilon, renyi_epsilon(alone, 1e-5));
  EXPECT_DOUBLE_EQ(spent.epsilon_unamplified, spent.epsilon);
}

TEST_F(LifetimeLedgers, AddUpOverCampaignsAndRestarts) {
  const Spent one = LifetimeLedger::open(file(), {8, 1e-5})->charge(charge_of(1, 1)).value();
  LifetimeLedger ledger = LifetimeLedger::open(file(), {8, 1e-5}).value();
  EXPECT_DOUBLE_EQ(ledger.charge(charge_of(1, 1))->epsilon, one.epsilon);
  EXPECT_GT(ledger.charge(charge_of(2, 1))->epsilon, one.epsilon);
}

TEST_F(LifetimeLedgers, RefuseWhatPassesTheNodesOwnLimit) {
  LifetimeLedger ledger = LifetimeLedger::open(file(), {2, 1e-5}).value();
  std::uint64_t campaign = 1;
  Result<Spent> spent = ledger.charge(charge_of(campaign, 1));
  while (spent) spent = ledger.charge(charge_of(++campaign, 1));
  EXPECT_EQ(spent.error().code, Code::kRefused);
  EXPECT_LE(ledger.ledger().spent().epsilon_unamplified, 2);
  EXPECT_EQ(ledger.ledger().charges().size(), campaign - 1);
}

}  // namespace
}  // namespace freshet
