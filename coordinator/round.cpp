#include "coordinator/round.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"

namespace freshet::round {
namespace {

struct Machine {
  Round round;
  std::vector<Effect> effects;
  bool accepted = false;
};

Member* find_mutable(Round& round, NodeId node) { return const_cast<Member*>(find(round, node)); }

std::uint32_t answered(const Round& round) {
  return static_cast<std::uint32_t>(
      std::count_if(round.cohort.begin(), round.cohort.end(),
                    [](const Member& m) { return m.upload.has_value(); }));
}

std::string too_few(const Round& round) {
  return fmt::format("round {}: {} of {} nodes answered with a valid update, {} are needed",
                     round.plan.id.value, answered(round), round.cohort.size(),
                     round.plan.survivors_min);
}

void finish_if_all_answered(Round& round) {
  bool waits = std::any_of(round.cohort.begin(), round.cohort.end(),
                           [](const Member& m) { return !m.upload && !m.vanished; });
  if (!waits && answered(round) >= round.plan.survivors_min) round.phase = Finished{};
}

void refuse(Machine& m, NodeId node, Code code, std::string why, bool offence) {
  m.effects.push_back(Refuse{node, code, std::move(why), offence});
}

// An upload that is not the first of its member: the same again, another one, or one of a stranger.
bool answer_known(Machine& m, const Uploaded& event) {
  const Member* member = find(m.round, event.node);
  if (member == nullptr) {
    refuse(m, event.node, Code::kRefused, "not in the cohort of this round", true);
    return true;
  }
  if (!member->upload) return false;
  if (*member->upload == event.upload) {
    m.effects.push_back(Accept{event.node, event.upload});
  } else {
    refuse(m, event.node, Code::kRefused, "a second, different update for one round", true);
  }
  return true;
}

void on(Machine& m, const Collecting&, const Uploaded& event) {
  if (answer_known(m, event)) return;
  find_mutable(m.round, event.node)->upload = event.upload;
  m.effects.push_back(Accept{event.node, event.upload});
  m.accepted = true;
  finish_if_all_answered(m.round);
}

void on(Machine& m, const Finished&, const Uploaded& event) {
  if (!answer_known(m, event)) refuse(m, event.node, Code::kExpired, "the round is over", false);
}

void on(Machine& m, const Aborted&, const Uploaded& event) {
  refuse(m, event.node, Code::kExpired, "the round is over", false);
}

void on(Machine& m, const Collecting&, const Vanished& event) {
  Member* member = find_mutable(m.round, event.node);
  if (member == nullptr || member->vanished || member->upload) return;
  member->vanished = true;
  m.accepted = true;
  finish_if_all_answered(m.round);
}

void on(Machine& m, const Collecting&, const DeadlinePassed&) {
  if (answered(m.round) >= m.round.plan.survivors_min) {
    m.round.phase = Finished{};
  } else {
    m.round.phase = Aborted{too_few(m.round)};
  }
  m.accepted = true;
}

void on(Machine& m, const Finished&, const Spoiled& event) {
  for (NodeId node : event.nodes) {
    Member* member = find_mutable(m.round, node);
    if (member == nullptr || !member->upload) continue;
    member->upload.reset();
    refuse(m, node, Code::kBadInput, "the update does not open, or is none of this round", true);
    m.accepted = true;
  }
  if (m.accepted && answered(m.round) < m.round.plan.survivors_min)
    m.round.phase = Aborted{too_few(m.round)};
}

void on(Machine&, const auto&, const auto&) {}  // anything else means nothing in this phase

}  // namespace

Round begin(RoundPlan plan, Instant deadline, const std::vector<NodeId>& nodes) {
  CHECK(!nodes.empty() && plan.survivors_min >= 1, "{} nodes, survivors_min {}", nodes.size(),
        plan.survivors_min);
  CHECK(std::adjacent_find(nodes.begin(), nodes.end(), std::greater_equal<>{}) == nodes.end(),
        "cohort not rising");
  Round round{plan, deadline, {}, Collecting{}};
  round.cohort.reserve(nodes.size());
  for (NodeId node : nodes) round.cohort.push_back(Member{node, std::nullopt, false});
  return round;
}

Step step(Round state, const Event& event) {
  Machine machine{std::move(state), {}, false};
  const Phase phase = machine.round.phase;  // handlers replace the original
  std::visit([&](const auto& p, const auto& e) { on(machine, p, e); }, phase, event);
  return Step{std::move(machine.round), std::move(machine.effects), machine.accepted};
}

const Member* find(const Round& round, NodeId node) {
  auto at = std::lower_bound(round.cohort.begin(), round.cohort.end(), node,
                             [](const Member& m, NodeId n) { return m.node < n; });
  return at != round.cohort.end() && at->node == node ? &*at : nullptr;
}

std::vector<Survivor> survivors(const Round& round) {
  std::vector<Survivor> result;
  for (const Member& member : round.cohort)
    if (member.upload) result.push_back(Survivor{member.node, *member.upload});
  return result;
}

}  // namespace freshet::round
