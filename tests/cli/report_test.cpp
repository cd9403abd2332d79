#include "cli/demo/report.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "cli/demo/plot.h"
#include "cli/demo/who_saw_what.h"

namespace freshet::demo {
namespace {

DemoReport full_report() {
  DemoReport report;
  report.nodes = {
      {"jargon", "hacker slang", 1000, 100, 3.0, 2.4, 2.7, 5000, 4000, {3.0, 2.8, 2.4}},
      {"french", "manual pages <fr>", 2000, 200, 4.0, 3.0, 3.5, 5000, 4000, {4.0, 3.4, 3.0}}};
  report.llm = {2.5, 2.45, 2.2, 2.0};
  report.llm_by_node = {{2.25, 2.2, 2.125, 1.9}, {2.75, 2.7, 2.275, 2.1}};
  report.wire = {42, 123456, WireFinding{7, "text", "diary", "node-1"}};
  report.rounds = 2;
  report.seconds = 83.25;
  report.mode = "trusted-coordinator";
  report.method = "rolora";
  report.rule = "sgd";
  report.slm_adapter = "/d/slm_adapter";
  report.llm_adapter = "/d/llm_adapter";
  report.report = "/d/report.html";
  report.command = "freshet demo --quick";
  return report;
}

TEST(DemoReport, JsonHasEveryDocumentedField) {
  Json json = to_json(full_report());
  for (const char* key : {"nodes", "slm", "llm", "rounds", "seconds", "mode", "slm_adapter",
                          "llm_adapter", "report", "wire"})
    EXPECT_TRUE(json.contains(key)) << key;
  for (const char* key : {"name", "domain", "train_bytes", "heldout_bpb_before",
                          "heldout_bpb_after", "heldout_bpb_local_only", "bytes_up", "bytes_down"})
    EXPECT_TRUE(json["nodes"][0].contains(key)) << key;
  EXPECT_EQ(json["slm"]["bpb_before"], 3.5);
  EXPECT_EQ(json["slm"]["bpb_after"], 2.7);
  EXPECT_EQ(json["llm"]["bpb_before"], 2.5);
  EXPECT_EQ(json["llm"]["bpb_public_only"], 2.45);
  EXPECT_EQ(json["llm"]["bpb_after"], 2.2);
  EXPECT_EQ(json["llm"]["bpb_oracle"], 2.0);
  EXPECT_EQ(json["nodes"][0]["llm"]["bpb_after"], 2.125);
  EXPECT_EQ(json["nodes"][1]["llm"]["bpb_oracle"], 2.1);
  EXPECT_EQ(json["wire"]["frames"], 42);
  EXPECT_EQ(json["wire"]["bytes"], 123456);
  EXPECT_EQ(json["wire"]["longest_private_match_bytes"], 7);
}

TEST(DemoReport, SaysInPlainWordsWhoCouldSeeWhat) {
  DemoReport report = full_report();
  const std::string trusted = who_saw_what(report);
  EXPECT_NE(trusted.find("the coordinator opened each node's update"), std::string::npos);
  report.mode = "masked";
  report.quorum = 6;
  const std::string masked = who_saw_what(report);
  EXPECT_NE(masked.find("the sum of each round and no single update"), std::string::npos);
  EXPECT_NE(masked.find("a quorum of 6 of"), std::string::npos);
  EXPECT_NE(masked.find("A stranger on the wire"), std::string::npos);
  EXPECT_NE(masked.find("The other nodes"), std::string::npos);
  EXPECT_NE(to_html(report).find("Who could see what"), std::string::npos);
  EXPECT_NE(to_terminal(report).find("no single update"), std::string::npos);
  EXPECT_EQ(to_json(report)["who_saw_what"], masked);
}

TEST(DemoReport, MissingFiguresAreNullAndDashes) {
  DemoReport report = full_report();
  report.nodes[0].after = std::nullopt;
  report.nodes[1].before = NAN;
  report.llm = {};
  report.wire.finding.reset();
  Json json = to_json(report);
  EXPECT_TRUE(json["nodes"][0]["heldout_bpb_after"].is_null());
  EXPECT_TRUE(json["nodes"][1]["heldout_bpb_before"].is_null());
  EXPECT_EQ(json["slm"]["bpb_after"], 3.0);  // of the node that has it
  EXPECT_TRUE(json["llm"]["bpb_after"].is_null());
  EXPECT_TRUE(json["wire"]["longest_private_match_bytes"].is_null());
  EXPECT_EQ(to_html(report).find("nan"), std::string::npos);
  EXPECT_NE(to_terminal(report).find("not measured"), std::string::npos);
  EXPECT_FALSE(to_html(DemoReport{}).empty());
  EXPECT_FALSE(to_terminal(DemoReport{}).empty());
}

TEST(DemoReport, PageNeedsNothingFromOutside) {
  std::string html = to_html(full_report());
  for (const char* outside : {"http://", "https://", "src=", "href=", "@import", "url(", "<script"})
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
  EXPECT_NE(html.find("<svg"), std::string::npos);
  EXPECT_NE(html.find("manual pages &lt;fr&gt;"), std::string::npos);
  EXPECT_EQ(html.find("<fr>"), std::string::npos);
  EXPECT_NE(html.find("trusted-coordinator"), std::string::npos);
}

TEST(DemoReport, TerminalTableIsAligned) {
  std::string text = to_terminal(full_report());
  std::size_t header = text.find("node "), row = text.find("jargon ");
  ASSERT_NE(header, std::string::npos);
  ASSERT_NE(row, std::string::npos);
  std::size_t before = text.find("before", header) + 6 - header;
  EXPECT_EQ(text.find("3.000", row) + 5 - row, before);  // figures end where their heading ends
}

TEST(DemoReport, FiguresReadWell) {
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1840000), "1.8 MB");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(192), "3 min 12 s");
  EXPECT_EQ(change(2.0, 1.5), "-25.0 %");
  EXPECT_EQ(change(std::nullopt, 1.5), "-");
}

TEST(Plot, AbsentAndEqualValuesDraw) {
  EXPECT_EQ(line_chart("t", "x", "y", {}), "");
  std::string flat = line_chart("t", "x", "y", {{"a", "mean", {{0, 2.5}, {1, 2.5}}}});
  EXPECT_NE(flat.find("<polyline"), std::string::npos);
  EXPECT_EQ(flat.find("nan"), std::string::npos);
  EXPECT_EQ(flat.find("inf"), std::string::npos);
  std::string bars = bar_chart("t", {"g", "h"}, {{"s", "before", {1.0, std::nullopt}}});
  EXPECT_NE(bars.find("g, s: 1.000"), std::string::npos);
  EXPECT_EQ(bars.find("h, s"), std::string::npos);
}

}  // namespace
}  // namespace freshet::demo
