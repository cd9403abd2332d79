#include <gtest/gtest.h>

#include "base/json.h"
#include "coordinator/fleet_page.h"

namespace freshet {
namespace {

NodeId id_of(const AllowList& list, std::string_view name) {
  for (const auto& [id, node] : list.nodes())
    if (node.name == name) return id;
  return {};
}

AllowList list_of(int nodes) {
  AllowList list;
  for (int i = 0; i < nodes; ++i)
    EXPECT_TRUE(list.insert({"n" + std::to_string(i), Identity::generate().open}));
  return list;
}

TEST(FleetPage, ListsWhoMayConnectWhereNoCampaignRuns) {
  const AllowList list = list_of(3);
  const Json page = fleet_page(list, nullptr, {}, Instant{0});
  ASSERT_EQ(page["nodes"].size(), 3u);
  EXPECT_TRUE(page["more"].is_null());
  for (const Json& node : page["nodes"]) {
    EXPECT_FALSE(node["here"].get<bool>());
    EXPECT_TRUE(node["ready_from"].is_null());
    EXPECT_FALSE(fleet_line(node).empty());
  }
}

TEST(FleetPage, SaysWhatTheCampaignKnowsOfEach) {
  const AllowList list = list_of(3);
  const NodeId a = id_of(list, "n0"), b = id_of(list, "n1");
  campaign::Campaign state;
  state.nodes[a] = {.ready = VersionId{4}, .offences = 1, .here = true, .spent = std::nullopt};
  state.nodes[b] = {.ready = VersionId{4}, .offences = 0, .here = false, .spent = VersionId{3}};
  state.heard[a] = Instant{1'000};
  round::RoundPlan plan;
  plan.id = RoundId{7};
  round::Round open = round::begin(plan, Instant{60'000}, {std::min(a, b), std::max(a, b)});
  for (round::Member& member : open.cohort)
    if (member.node == a) member.upload = Digest{1};
  state.phase = campaign::Collecting{open};
  const auto one = [&](const std::string& name) {
    const Json page = fleet_page(list, &state, {{}, false, name}, Instant{3'500});
    EXPECT_EQ(page["nodes"].size(), 1u) << name;
    return page["nodes"][0];
  };
  const Json first = one("n0"), second = one("n1"), third = one("n2");
  EXPECT_TRUE(first["here"].get<bool>());
  EXPECT_EQ(first["heard_s"], 2.5);
  EXPECT_EQ(first["ready_from"], 4);
  EXPECT_EQ(first["offences"], 1);
  EXPECT_EQ(first["round"], 7);
  EXPECT_TRUE(first["answered"].get<bool>());
  EXPECT_FALSE(second["here"].get<bool>());
  EXPECT_EQ(second["spent_from"], 3);
  EXPECT_FALSE(second["answered"].get<bool>());
  EXPECT_TRUE(third["round"].is_null());
  EXPECT_EQ(fleet_page(list, &state, {{}, true, ""}, Instant{0})["nodes"].size(), 2u);
  EXPECT_EQ(one(first["id"].get<std::string>())["name"], "n0");
}

TEST(FleetPage, OfALargeFleetGivesEveryNodeOnce) {
  const AllowList list = list_of(static_cast<int>(kFleetPageNodes) + 20);
  FleetQuestion question;
  std::set<std::string> seen;
  const Json first = fleet_page(list, nullptr, question, Instant{0});
  ASSERT_EQ(first["nodes"].size(), kFleetPageNodes);
  question.after = {std::stoull(first["more"].get<std::string>(), nullptr, 16)};
  const Json second = fleet_page(list, nullptr, question, Instant{0});
  EXPECT_TRUE(second["more"].is_null());
  for (const Json* page : {&first, &second})
    for (const Json& node : (*page)["nodes"]) EXPECT_TRUE(seen.insert(node["id"]).second);
  EXPECT_EQ(seen.size(), kFleetPageNodes + 20);
}

}  // namespace
}  // namespace freshet
