#include "cli/demo/node_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/check.h"
#include "cli/demo/campaign_progress.h"

namespace freshet::demo {
namespace {

class NodeFiles : public ::testing::Test {
 protected:
  NodeFiles() {
    char name[] = "/tmp/freshet-node-files-XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    dir_ = name;
  }
  ~NodeFiles() override { std::filesystem::remove_all(dir_); }

  void write(const char* name, std::string_view text) {
    ASSERT_TRUE(write_file_durably(dir_ / name, as_bytes(text)));
  }

  Path dir_;
};

TEST_F(NodeFiles, MetricsAreFiguresByVersion) {
  EXPECT_TRUE(read_metrics(dir_).empty());
  write("metrics.jsonl",
        "{\"version\":0,\"heldout_bpb\":3.5}\nnot json\n{\"version\":2,\"heldout_bpb\":3.1}\n"
        "{\"version\":99999999999,\"heldout_bpb\":1}\n{\"version\":3,\"heldo");
  std::vector<Figure> figures = read_metrics(dir_);
  ASSERT_EQ(figures.size(), 3u);
  EXPECT_EQ(figures[0], 3.5);
  EXPECT_FALSE(figures[1]);
  EXPECT_EQ(figures[2], 3.1);
}

TEST_F(NodeFiles, AReportWithoutALossIsStillAReport) {
  NodeFigures node;
  EXPECT_FALSE(read_node_report(dir_, node));
  write("report.json",
        R"({"train_bytes":9,"heldout_bytes":1,"heldout_bpb_before":3.5,"heldout_bpb_after":null,)"
        R"("bytes_up":7,"bytes_down":8})");
  ASSERT_TRUE(read_node_report(dir_, node));
  EXPECT_EQ(node.train_bytes, 9u);
  EXPECT_EQ(node.before, 3.5);
  EXPECT_FALSE(node.after);
  EXPECT_FALSE(node.local_only);
  write("report.json", R"({"train_bytes":"many"})");
  EXPECT_EQ(read_node_report(dir_, node).error().code, Code::kBadInput);
}

TEST(CampaignProgress, TakesWhatTheCoordinatorSays) {
  Progress progress =
      parse_progress(
          R"({"campaign":"00000000000000ab","phase":"adapting","version":3,"nodes_ready":2,)"
          R"("eta_s":1.5,"adapt":{"step":4,"total":9},"why":null})")
          .value();
  EXPECT_EQ(progress.campaign, "00000000000000ab");
  EXPECT_EQ(progress.phase, "adapting");
  EXPECT_EQ(progress.version, 3u);
  EXPECT_EQ(progress.seconds_left, 1.5);
  EXPECT_EQ(progress.adapt_step, 4u);
  EXPECT_EQ(progress.adapt_total, 9u);
  EXPECT_FALSE(parse_progress("{}"));
  EXPECT_FALSE(parse_progress("error"));
}

}  // namespace
}  // namespace freshet::demo
