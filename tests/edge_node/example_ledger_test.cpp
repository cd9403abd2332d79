#include "edge_node/example_ledger.h"

#include <gtest/gtest.h>

#include "aggregation/privacy/rdp.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

class ExampleLedgerOf : public testing::Test {
 protected:
  ExampleLedgerOf() {
    plan.training.steps = 20;
    plan.training.batch = 10;
    plan.examples = {2, 0.5f};
    text.train_examples = 500;
    text.train_text = Digest{1};
    storage.writable()[0] = 3;
  }
  Result<ExampleNoise> charge(ExampleLedger& ledger, std::uint64_t version) {
    return ledger.charge({CampaignId{4}, VersionId{version}, plan, Digest{2}, 1000}, text, storage);
  }
  Path file() const { return folder / "examples.ledger"; }

  TempFolder folder;
  CampaignPlan plan;
  TextOpened text;
  Secret storage{32};
};

TEST_F(ExampleLedgerOf, ChargesATrainingOnceAndGivesItTheSameNoise) {
  ExampleNoise first;
  {
    ExampleLedger ledger(file(), {8, 1e-5});
    EXPECT_FALSE(ledger.epsilon());
    first = charge(ledger, 0).value();
    EXPECT_EQ(first.multiplier, 2);
    EXPECT_EQ(first.clip, 0.5f);
    EXPECT_EQ(first.text, text.train_text);
    const Release alone[] = {{2, 10 / 500.0, 20}};
    EXPECT_DOUBLE_EQ(*ledger.epsilon(), renyi_epsilon(alone, 1e-5));
  }
  ExampleLedger again(file(), {8, 1e-5});  // the node was started again
  const ExampleNoise same = charge(again, 0).value();
  EXPECT_EQ(same.key, first.key);
  const double once = *again.epsilon();
  EXPECT_NE(charge(again, 1).value().key, first.key);
  EXPECT_GT(*again.epsilon(), once);
  const double twice = *again.epsilon();
  text.train_text = Digest{9};
  EXPECT_TRUE(charge(again, 1));
  EXPECT_GT(*again.epsilon(), twice) << "another text is another training";
}

TEST_F(ExampleLedgerOf, RefusesWhatWouldPassTheBudget) {
  ExampleLedger ledger(file(), {0.5, 1e-5});
  std::uint64_t trainings = 0;
  Result<ExampleNoise> last = charge(ledger, trainings);
  while (last && trainings < 1000) last = charge(ledger, ++trainings);
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, Code::kRefused) << last.error().what;
  EXPECT_GT(trainings, 1u);
  EXPECT_LE(*ledger.epsilon(), 0.5);
  EXPECT_TRUE(charge(ledger, trainings - 1)) << "what was charged stays free";
}

TEST_F(ExampleLedgerOf, RefusesATextOfFewerExamplesThanAStepDraws) {
  text.train_examples = 9;
  ExampleLedger ledger(file(), {8, 1e-5});
  EXPECT_EQ(charge(ledger, 0).error().code, Code::kBadInput);
  EXPECT_FALSE(std::filesystem::exists(file()));
}

}  // namespace
}  // namespace freshet
