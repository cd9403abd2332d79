#include "coordinator/round.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "coordinator/round_machine.h"

namespace freshet::round {

std::uint32_t answered(const Round& round) {
  return static_cast<std::uint32_t>(
      std::count_if(round.cohort.begin(), round.cohort.end(),
                    [](const Member& m) { return m.upload.has_value(); }));
}

bool answer_known(Machine& m, const Uploaded& event) {
  const Member* member = m.find(event.node);
  if (member == nullptr) {
    m.refuse(event.node, Code::kRefused, "not in the cohort of this round", true);
    return true;
  }
  if (!member->upload) return false;
  if (*member->upload == event.upload) {
    m.effects.emplace_back(Accept{event.node, event.upload});
  } else {
    m.refuse(event.node, Code::kRefused, "a second, different update for one round", true);
  }
  return true;
}

namespace {

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

// ---- a round in which the coordinator opens every update

void on(Machine& m, const Collecting&, const Uploaded& event) {
  if (answer_known(m, event)) return;
  m.find(event.node)->upload = event.upload;
  m.effects.emplace_back(Accept{event.node, event.upload});
  m.accepted = true;
  finish_if_all_answered(m.round);
}

void on(Machine& m, const Finished&, const Uploaded& event) {
  if (!answer_known(m, event)) m.refuse(event.node, Code::kExpired, "the round is over", false);
}

void on(Machine& m, const Aborted&, const Uploaded& event) {
  m.refuse(event.node, Code::kExpired, "the round is over", false);
}

void on(Machine& m, const Collecting&, const Vanished& event) {
  Member* member = m.find(event.node);
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
    Member* member = m.find(node);
    if (member == nullptr || !member->upload) continue;
    member->upload.reset();
    m.refuse(node, Code::kBadInput, "the update does not open, or is none of this round", true);
    m.accepted = true;
  }
  if (m.accepted && answered(m.round) < m.round.plan.survivors_min)
    m.round.phase = Aborted{too_few(m.round)};
}

void on(Machine& m, const auto&, const Said& event) {
  m.refuse(event.node, Code::kRefused, "this round is not masked", true);
}

void on(Machine&, const auto&, const auto&) {}  // anything else means nothing in this phase

}  // namespace

Round begin(RoundPlan plan, Instant deadline, const std::vector<NodeId>& nodes) {
  CHECK(!nodes.empty() && plan.survivors_min >= 1, "{} nodes, survivors_min {}", nodes.size(),
        plan.survivors_min);
  CHECK(std::adjacent_find(nodes.begin(), nodes.end(), std::greater_equal<>{}) == nodes.end(),
        "cohort not rising");
  const bool masked = plan.masked.has_value();
  Round round{std::move(plan), deadline, deadline, {}, Collecting{}};
  if (masked) round.phase = Advertising{};
  round.cohort.reserve(nodes.size());
  for (NodeId node : nodes) round.cohort.push_back(Member{node, std::nullopt, false, {}});
  return round;
}

Step step(Round state, const Event& event) {
  Machine machine{std::move(state), {}, false, false};
  if (machine.round.plan.masked) {
    step_masked(machine, event);
  } else {
    const Phase phase = machine.round.phase;  // handlers replace the original
    std::visit([&](const auto& p, const auto& e) { on(machine, p, e); }, phase, event);
  }
  return Step{std::move(machine.round), std::move(machine.effects), machine.accepted,
              machine.progress};
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

bool is_over(const Round& round) {
  return std::holds_alternative<Finished>(round.phase) ||
         std::holds_alternative<Aborted>(round.phase);
}

std::string_view name_of(const Phase& phase) {
  constexpr std::string_view kNames[] = {"collecting", "finished", "aborted",   "advertising",
                                         "sharing",    "agreeing", "unmasking", "aborting"};
  static_assert(std::size(kNames) == std::variant_size_v<Phase>);
  return kNames[phase.index()];
}

}  // namespace freshet::round
