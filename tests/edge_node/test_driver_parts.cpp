#include <gtest/gtest.h>
#include <unistd.h>

#include "base/json.h"
#include "edge_node/contribution_store.h"
#include "edge_node/node_records.h"

namespace freshet {
namespace {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "freshet-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const Path& path() const { return path_; }

 private:
  Path path_;
};

session::Base base_of_version(std::uint64_t version) {
  session::Base base{{77}, {version}, {}, 12};
  base.adapter.fill(5);
  return base;
}

TEST(ContributionStore, GivesBackAfterARestartWhatWasPut) {
  TemporaryFolder folder;
  const Secret storage = Secret::random(32);
  const ClippedUpdate update{{1, -2, 0.5f}, 3};
  session::Contribution put;
  session::Upload upload;
  {
    auto store = ContributionStore::open(folder.path(), storage).value();
    put = store.put(base_of_version(4), update).value();
    upload = store.put_upload({9}, as_bytes("sealed bytes")).value();
  }
  auto store = ContributionStore::open(folder.path(), storage).value();
  const auto kept = store.kept().value();
  EXPECT_EQ(kept.contribution, put);
  EXPECT_EQ(kept.upload, upload);
  const auto got = store.get(put);
  ASSERT_TRUE(got.has_value()) << got.error().what;
  EXPECT_EQ(got->values, update.values);
  EXPECT_EQ(got->weight, 3u);
  EXPECT_EQ(as_text(ContributionStore::sealed_part(store.map_upload(upload).value())),
            "sealed bytes");
}

TEST(ContributionStore, HoldsNoPlainValueOnDisk) {
  TemporaryFolder folder;
  auto store = ContributionStore::open(folder.path(), Secret::random(32)).value();
  ASSERT_TRUE(store.put(base_of_version(0), {std::vector<float>(64, 1.25f), 1}).has_value());
  const std::string file = read_file(folder.path() / "contribution.sealed", 1 << 16).value();
  const float value = 1.25f;
  EXPECT_EQ(file.find(std::string(reinterpret_cast<const char*>(&value), 4)), std::string::npos);
}

TEST(ContributionStore, DropsWhatDoesNotOpenSoThatTheNodeTrainsAgain) {
  TemporaryFolder folder;
  const Secret storage = Secret::random(32);
  auto store = ContributionStore::open(folder.path(), storage).value();
  ASSERT_TRUE(store.put(base_of_version(0), {{1, 2}, 1}).has_value());
  const Path file = folder.path() / "contribution.sealed";
  std::string bytes = read_file(file, 1 << 16).value();
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(write_file_durably(file, as_bytes(bytes)).has_value());
  EXPECT_FALSE(store.kept().value().contribution.has_value());
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST(ContributionStore, ANewContributionReplacesTheOldOneAndItsUpload) {
  TemporaryFolder folder;
  auto store = ContributionStore::open(folder.path(), Secret::random(32)).value();
  const auto old = store.put(base_of_version(0), {{1}, 1}).value();
  const auto upload = store.put_upload({1}, as_bytes("x")).value();
  const auto fresh = store.put(base_of_version(1), {{2}, 1}).value();
  EXPECT_EQ(store.get(old).error().code, Code::kExpired);
  EXPECT_EQ(store.get(fresh)->values, std::vector<float>{2});
  EXPECT_FALSE(store.map_upload(upload).has_value());
  ASSERT_TRUE(store.remove().has_value());
  EXPECT_FALSE(store.kept().value().contribution.has_value());
}

TEST(NodeRecords, RememberACampaignOverARestart) {
  TemporaryFolder folder;
  auto records = NodeRecords::open(folder.path(), "n").value();
  EXPECT_FALSE(records.load().value().has_value());
  CampaignMemory memory;
  memory.campaign = {0xfedcba9876543210};
  memory.name = "c";
  memory.bytes_up = 12;
  memory.seconds = 1.5;
  memory.bpb_before = 4.25;
  memory.evaluated = 3;
  ASSERT_TRUE(records.save(memory).has_value());
  const auto back = NodeRecords::open(folder.path(), "n").value().load().value();
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->campaign, memory.campaign);
  EXPECT_EQ(back->evaluated, memory.evaluated);
  EXPECT_EQ(back->bpb_before, memory.bpb_before);
  EXPECT_EQ(back->bpb_now, std::nullopt);
  EXPECT_EQ(back->bytes_up, 12u);
  EXPECT_FALSE(back->reported);
}

TEST(NodeRecords, WriteALineForEachVersionAndAReport) {
  TemporaryFolder folder;
  auto records = NodeRecords::open(folder.path(), "kitchen").value();
  ASSERT_TRUE(records.add({1}, {{0}, {}, 4.5, 1, 2, 3}).has_value());
  ASSERT_TRUE(records.add({1}, {{1}, 2.5, 4.0, 2, 4, 6}).has_value());
  const std::string lines = read_file(folder.path() / "metrics.jsonl", 1 << 16).value();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  const Json second = parse_json(lines.substr(lines.find('\n') + 1), "line").value();
  EXPECT_EQ(second["version"], 1);
  EXPECT_EQ(second["train_loss"], 2.5);
  CampaignMemory memory;
  memory.bpb_before = 4.5;
  ASSERT_TRUE(records.write_report(memory, {100, 10, 4.1, {2}}).has_value());
  const Json report =
      parse_json(read_file(folder.path() / "report.json", 1 << 16).value(), "report").value();
  EXPECT_EQ(report["name"], "kitchen");
  EXPECT_EQ(report["heldout_bpb_local_only"], 4.1);
  EXPECT_TRUE(report["heldout_bpb_after"].is_null());
  EXPECT_EQ(report["rounds"], 2);
}

}  // namespace
}  // namespace freshet
