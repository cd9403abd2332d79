#include "coordinator/decision.h"

#include <fmt/core.h>

#include <algorithm>

#include "storage/audit_log.h"

namespace freshet {
namespace {

constexpr std::size_t kNamedNodesMax = 16;

std::string name_of(NodeId node) { return fmt::format("{:016x}", node.value); }
Json number(RoundId round) { return round.value; }
Json number(VersionId version) { return version.value; }

// The first ones by name, and how many there are.
Json names_of(const std::vector<NodeId>& nodes) {
  Json named = Json::array();
  for (std::size_t i = 0; i < std::min(nodes.size(), kNamedNodesMax); ++i)
    named.push_back(name_of(nodes[i]));
  return {{"count", nodes.size()}, {"first", std::move(named)}};
}

std::string short_of(const std::string& why) { return why.substr(0, kAuditWhyBytesMax); }

struct InWords {
  using Maybe = std::optional<Decision>;

  Maybe operator()(const campaign::RoundOpened& e) const {
    Json about = {{"seed", e.seed}};
    if (e.sid != Digest{}) about["sid"] = to_hex(e.sid);
    return Decision{"round-opened", std::move(about)};
  }
  Maybe operator()(const campaign::Summed& e) const {
    Json about = {
        {"round", number(e.round)}, {"version", number(e.version)}, {"adapter", to_hex(e.adapter)}};
    if (e.sum != Digest{}) about["sum"] = to_hex(e.sum);
    return Decision{"version-published", std::move(about)};
  }
  Maybe operator()(const campaign::GroupSummed& e) const {
    return Decision{"group-summed", {{"round", number(e.round)}, {"sum", to_hex(e.sum)}}};
  }
  Maybe operator()(const campaign::Combined& e) const {
    return Decision{"version-published",
                    {{"version", number(e.version)}, {"adapter", to_hex(e.adapter)}}};
  }
  Maybe operator()(const campaign::HeldBack& e) const {
    return Decision{"held-back", {{"round", number(e.round)}, {"why", short_of(e.why)}}};
  }
  Maybe operator()(const campaign::RolledBack& e) const {
    return Decision{"rolled-back", {{"to", number(e.to)}, {"adapter", to_hex(e.adapter)}}};
  }
  Maybe operator()(const campaign::Spoiled& e) const {
    return Decision{"updates-spoiled", {{"round", number(e.round)}, {"nodes", names_of(e.nodes)}}};
  }
  Maybe operator()(const campaign::Complained& e) const {
    return Decision{
        "complaint",
        {{"round", number(e.round)}, {"node", name_of(e.node)}, {"liar", name_of(e.liar)}}};
  }
  Maybe operator()(const campaign::Ruined& e) const {
    return Decision{
        "round-ruined",
        {{"round", number(e.round)}, {"why", short_of(e.why)}, {"liars", names_of(e.liars)}}};
  }
  Maybe operator()(const campaign::DeadlinePassed& e) const {
    return Decision{"deadline-passed", {{"round", number(e.round)}}};
  }
  Maybe operator()(const campaign::GroupsClosed&) const {
    return Decision{"groups-closed", Json::object()};
  }
  Maybe operator()(const campaign::GaveUp& e) const {
    return Decision{"gave-up", {{"why", short_of(e.why)}}};
  }
  Maybe operator()(const auto&) const { return std::nullopt; }
};

}  // namespace

std::optional<Decision> decision_of(const campaign::Event& event) {
  return std::visit(InWords{}, event);
}

}  // namespace freshet
