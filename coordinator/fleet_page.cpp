#include "coordinator/fleet_page.h"

#include <fmt/format.h>

#include "base/json.h"

namespace freshet {
namespace {

std::string node_hex(NodeId id) { return fmt::format("{:016x}", id.value); }

Json node_entry(const AllowedNode& node, NodeId id, const campaign::Campaign* under_way,
                Instant now) {
  Json entry = {{"id", node_hex(id)},    {"name", node.name},     {"here", false},
                {"heard_s", nullptr},    {"ready_from", nullptr}, {"offences", 0},
                {"spent_from", nullptr}, {"round", nullptr},      {"answered", nullptr}};
  if (under_way == nullptr) return entry;
  if (const auto found = under_way->nodes.find(id); found != under_way->nodes.end()) {
    const campaign::Node& known = found->second;
    entry["here"] = known.here;
    entry["offences"] = known.offences;
    if (known.ready) entry["ready_from"] = known.ready->value;
    if (known.spent) entry["spent_from"] = known.spent->value;
  }
  if (const auto heard = under_way->heard.find(id); heard != under_way->heard.end())
    entry["heard_s"] = static_cast<double>(now - heard->second) / 1000;
  const round::Round* open = campaign::open_round(*under_way);
  if (const round::Member* member = open == nullptr ? nullptr : round::find(*open, id)) {
    entry["round"] = open->plan.id.value;
    entry["answered"] = !round::is_waited_for(*open, *member) && !member->vanished;
  }
  return entry;
}

}  // namespace

Json fleet_page(const AllowList& allowed, const campaign::Campaign* under_way,
                const FleetQuestion& question, Instant now) {
  Json nodes = Json::array(), more = nullptr;
  for (auto at = allowed.nodes().upper_bound(question.after); at != allowed.nodes().end(); ++at) {
    const auto& [id, node] = *at;
    if (!question.node.empty() && question.node != node.name && question.node != node_hex(id))
      continue;
    Json entry = node_entry(node, id, under_way, now);
    if (question.cohort && entry["round"].is_null()) continue;
    if (nodes.size() == kFleetPageNodes) {
      more = nodes.back()["id"];
      break;
    }
    nodes.push_back(std::move(entry));
  }
  return {{"nodes", std::move(nodes)}, {"more", std::move(more)}};
}

std::string fleet_header() {
  return fmt::format("{:<16}  {:<20}  {:<6}  {:>8}  {:>10}  {:>8}  {}", "id", "name", "here",
                     "heard", "ready from", "offences", "round");
}

std::string fleet_line(const Json& node) {
  const auto number = [&](const char* key, const char* unit) {
    if (node[key].is_null()) return std::string("-");
    return fmt::format("{:.0f}{}", node[key].get<double>(), unit);
  };
  std::string round = number("round", "");
  if (!node["round"].is_null())
    round += node["answered"].get<bool>() ? ", answered" : ", waited for";
  if (!node["spent_from"].is_null())
    round += fmt::format(" (spent from version {})", node["spent_from"].get<std::uint64_t>());
  return fmt::format("{:<16}  {:<20}  {:<6}  {:>8}  {:>10}  {:>8}  {}",
                     node["id"].get<std::string>(), node["name"].get<std::string>(),
                     node["here"].get<bool>() ? "yes" : "no", number("heard_s", " s ago"),
                     number("ready_from", ""), number("offences", ""), round);
}

}  // namespace freshet
