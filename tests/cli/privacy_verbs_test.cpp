#include <gtest/gtest.h>

#include "base/json.h"
#include "cli/privacy/report.h"
#include "storage/record_file.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

Path write_ledger(const TempFolder& folder, Ledger::Owner owner, int charges) {
  const Path file = folder / "privacy.ledger";
  Ledger ledger(owner);
  RecordFile records =
      RecordFile::open(file, owner == Ledger::Owner::kNode ? kLifetimeLedger : kCampaignLedger,
                       [](ByteView) { return Result<void>(); })
          .value();
  auto write = [&](const Bytes& record) {
    EXPECT_TRUE(records.append(record));
    EXPECT_TRUE(ledger.take(record));
  };
  write(ledger.record_of({8, 1e-5}));
  for (int i = 0; i < charges; ++i) {
    Charge charge;
    charge.sid[0] = static_cast<std::uint8_t>(i + 1);
    charge.campaign = {0xabc};
    charge.round = {static_cast<std::uint64_t>(i + 1)};
    charge.multiplier = 1.5;
    charge.sampling_rate = owner == Ledger::Owner::kNode ? 1 : .04;
    charge.variance_256 = 256 * 49;
    charge.survivors = 20;
    write(*ledger.admit(charge));
  }
  return file;
}

TEST(PrivacyReport, HasAllThatAnotherAccountantNeeds) {
  const TempFolder folder;
  const LedgerReport report = *read_ledger(write_ledger(folder, Ledger::Owner::kCampaign, 3));
  const Json json = to_json(report);
  EXPECT_EQ(json["owner"], "campaign");
  EXPECT_EQ(json["budget"]["epsilon"], 8);
  ASSERT_EQ(json["charges"].size(), 3u);
  EXPECT_EQ(json["charges"][2]["noise_multiplier"], 1.5);
  EXPECT_EQ(json["charges"][2]["sampling_rate"], .04);
  EXPECT_EQ(json["charges"][2]["node_sigma"], 7);
  const Release releases[] = {{1.5, .04, 3}};
  EXPECT_DOUBLE_EQ(json["epsilon"], renyi_epsilon(releases, 1e-5));
  EXPECT_LT(json["pld_epsilon"], json["epsilon"]);
  EXPECT_GT(json["epsilon_without_amplification"], json["epsilon"]);
  EXPECT_LT(json["pld_epsilon_without_amplification"], json["epsilon_without_amplification"]);
}

TEST(PrivacyReport, SaysTheSameToPeople) {
  const TempFolder folder;
  const std::string text = to_text(*read_ledger(write_ledger(folder, Ledger::Owner::kNode, 1)));
  EXPECT_NE(text.find("node ledger: 1 charges, budget epsilon 8 at delta 1e-05"), std::string::npos)
      << text;
  EXPECT_NE(text.find("0000000000000abc"), std::string::npos) << text;
}

TEST(PrivacyReport, IsZeroBeforeTheFirstCharge) {
  const TempFolder folder;
  const Json json = to_json(*read_ledger(write_ledger(folder, Ledger::Owner::kCampaign, 0)));
  EXPECT_EQ(json["epsilon"], 0);
  EXPECT_EQ(json["pld_epsilon"], 0);
}

TEST(PrivacyReport, RefusesOtherFiles) {
  const TempFolder folder;
  EXPECT_EQ(read_ledger(folder / "none").error().code, Code::kBadInput);
  ASSERT_TRUE(write_file_durably(folder / "text", as_bytes("not a ledger of any kind")));
  EXPECT_EQ(read_ledger(folder / "text").error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace freshet
