#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "base/rng.h"
#include "coordinator/campaign_machine.h"

namespace freshet::campaign {
namespace {

void refuse(Machine& m, NodeId node, Code code, std::string why) {
  m.effects.emplace_back(SendRefused{node, code, std::move(why)});
}

// ---- nodes

}  // namespace

void note_ready(Campaign& c, Instant now) {
  auto* gathering = std::get_if<Gathering>(&c.phase);
  if (gathering == nullptr) return;
  bool enough = gathering->ready >= cohort_needed(c);
  if (enough && !gathering->enough_at) gathering->enough_at = now;
  if (!enough) gathering->enough_at.reset();
}

namespace {

// The one place where a node's record changes: keeps the count of ready nodes with it.
template <class Change>
void change_node(Machine& m, NodeId id, Instant now, Change change) {
  Node& node = m.c.nodes[id];
  bool before = is_ready(m.c, node);
  change(node);
  bool after = is_ready(m.c, node);
  if (!node.here && node.offences == 0 && node.spent != m.c.version) m.c.nodes.erase(id);
  if (auto* gathering = std::get_if<Gathering>(&m.c.phase)) {
    gathering->ready += after ? 1 : 0;
    gathering->ready -= before ? 1 : 0;
  }
  note_ready(m.c, now);
  m.committed();
}

void count_offence(Machine& m, NodeId id, Instant now) {
  change_node(m, id, now, [](Node& node) {
    node.offences = std::min(node.offences + 1, limits::kOffencesMax);
  });
}

bool is_out(const Campaign& c, NodeId id) {
  auto node = c.nodes.find(id);
  return node != c.nodes.end() && node->second.offences >= limits::kOffencesMax;
}

// Notes that a node was heard; a node that is new, or was gone, joins. False: it may not speak.
bool hear(Machine& m, NodeId id, Instant now) {
  if (is_out(m.c, id)) {
    refuse(m, id, Code::kRefused,
           "out of this campaign after repeated offences; ask the coordinator's operator");
    return false;
  }
  auto node = m.c.nodes.find(id);
  if (node == m.c.nodes.end() && m.c.nodes.size() >= limits::kKnownNodesMax) {
    refuse(m, id, Code::kUnavailable,
           "the campaign knows as many nodes as it can; try again later");
    return false;
  }
  if (node == m.c.nodes.end() || !node->second.here) {
    change_node(m, id, now, [](Node& joined) { joined.here = true; });
  }
  Instant& heard = m.c.heard[id];
  m.accepted = m.accepted || heard < now;
  heard = std::max(heard, now);
  return true;
}

void tell_where_we_are(Machine& m, NodeId node) {
  if (is_over(m.c)) {
    m.effects.emplace_back(SendFinished{node, m.c.version});
  } else {
    m.effects.emplace_back(SendAnnounce{node});
  }
}

}  // namespace

void tell_all(Machine& m) {
  for (const auto& [id, node] : m.c.nodes)
    if (node.here && node.offences < limits::kOffencesMax) tell_where_we_are(m, id);
}

namespace {

// A member that says it is ready has not got its invitation; or it has left the masked round that
// it advertised for.
void invite_again(Machine& m, NodeId node, Instant now) {
  const auto* collecting = std::get_if<Collecting>(&m.c.phase);
  if (collecting == nullptr) return;
  const round::Round& round = collecting->round;
  const round::Member* member = round::find(round, node);
  if (member == nullptr || member->upload) return;
  if (round.plan.masked) {
    if (member->document(round::Document::kAdvert))
      return step_round(m, round::Vanished{node}, now);
    m.effects.emplace_back(SendPhase{node, round.plan.id});
    return;
  }
  m.effects.emplace_back(SendInvite{node, round.plan.id, round.plan.base,
                                    static_cast<std::uint32_t>(round.cohort.size()),
                                    std::max<std::int64_t>(round.deadline - now, 0)});
}

void node_is_ready(Machine& m, NodeId node, VersionId base, Instant now) {
  if (is_over(m.c) || base != m.c.version) return tell_where_we_are(m, node);
  if (m.c.nodes[node].ready != base) change_node(m, node, now, [&](Node& n) { n.ready = base; });
  invite_again(m, node, now);
}

// ---- rounds

// Of groups, the ready nodes are shared out evenly among those still to come.
std::size_t cohort_size(const Campaign& c, std::size_t ready) {
  const std::size_t left =
      c.rules.groups - std::min<std::size_t>(c.groups.size(), c.rules.groups - 1);
  return std::clamp<std::size_t>(ready / left, c.rules.cohort_min, c.rules.cohort_max);
}

std::vector<NodeId> choose_cohort(const Campaign& c, std::uint64_t seed) {
  std::vector<NodeId> ready;
  for (const auto& [id, node] : c.nodes)
    if (is_ready(c, node)) ready.push_back(id);
  const std::size_t size = cohort_size(c, ready.size());
  if (ready.size() <= size) return ready;
  Rng rng(seed, c.last_round.value + 1);
  for (std::size_t i = 0; i < size; ++i)
    std::swap(ready[i], ready[i + rng.below(ready.size() - i)]);
  ready.resize(size);
  std::sort(ready.begin(), ready.end());
  return ready;
}

// What an aborted round leaves of its members' contributions.
void keep_what_is_left(Machine& m, const round::Round& round) {
  const round::Base base = std::get<round::Aborted>(round.phase).base;
  if (base == round::Base::kSpent) spend(m, round);
  for (const round::Member& member : round.cohort) {
    // Who did not answer, or went through a masked round, must say again that it is ready.
    auto node = m.c.nodes.find(member.node);
    if (node != m.c.nodes.end() && (!member.upload || round.plan.masked))
      node->second.ready.reset();
  }
  if (base == round::Base::kGivenUp) m.c.given_up.push_back(round);
}

void abort_round(Machine& m, const round::Round& round, Instant now) {
  keep_what_is_left(m, round);
  close(m, round, false);
  try_again(m, std::get<round::Aborted>(round.phase).why, now);
}

// A masked phase ends phase_ms after its last progress, and round_ms after it began at the latest.
void move_deadline(const Rules& rules, std::size_t before, round::Round& round, Instant now) {
  if (round.phase.index() != before) round.latest = now + rules.round_ms;
  round.deadline = std::min(now + rules.masking.phase_ms, round.latest);
}

void carry_out(Machine& m, const round::Round& round, const round::Accept& accept, Instant) {
  m.effects.emplace_back(SendAccepted{accept.node, round.plan.id, accept.upload});
}
void carry_out(Machine& m, const round::Round&, const round::Refuse& refused, Instant now) {
  refuse(m, refused.node, refused.code, refused.why);
  if (refused.offence) count_offence(m, refused.node, now);
}
void carry_out(Machine& m, const round::Round& round, const round::Tell& tell, Instant) {
  m.effects.emplace_back(SendPhase{tell.node, round.plan.id});
}
void carry_out(Machine& m, const round::Round&, const round::Evict& evict, Instant now) {
  change_node(m, evict.node, now, [](Node& node) { node.offences = limits::kOffencesMax; });
  refuse(m, evict.node, Code::kRefused, "what this node sent in a masked round was wrong");
}

}  // namespace

// Steps the open round, which is moved out and back, and carries what comes of it into the
// campaign.
void step_round(Machine& m, const round::Event& event, Instant now) {
  auto* summing = std::get_if<Summing>(&m.c.phase);
  round::Round& open = summing != nullptr ? summing->round : std::get<Collecting>(m.c.phase).round;
  const std::size_t before = open.phase.index();
  round::Step stepped = round::step(std::move(open), event);
  for (const round::Effect& effect : stepped.effects)
    std::visit([&](const auto& each) { carry_out(m, stepped.next, each, now); }, effect);
  if (stepped.accepted) m.committed();
  if (stepped.progress) move_deadline(m.c.rules, before, stepped.next, now);
  if (std::holds_alternative<round::Aborted>(stepped.next.phase))
    return abort_round(m, stepped.next, now);
  if (std::holds_alternative<round::Finished>(stepped.next.phase)) {
    if (stepped.accepted)
      m.effects.emplace_back(
          AddAndStep{stepped.next.plan.id, stepped.next.plan.base, round::survivors(stepped.next)});
    m.c.phase = Summing{std::move(stepped.next)};
  } else {
    CHECK(summing == nullptr, "a closed round cannot collect again");
    m.c.phase = Collecting{std::move(stepped.next)};
  }
}

namespace {

// ---- one overload for each event, or pair of phase and event, that means something

void on(Machine& m, auto, const Hello& event) {
  if (!hear(m, event.node, event.now)) return;
  tell_where_we_are(m, event.node);
  const round::Round* round = open_round(m.c);
  if (round != nullptr && round->plan.masked && round::find(*round, event.node) != nullptr)
    m.effects.emplace_back(SendPhase{event.node, round->plan.id});
}

void on(Machine& m, auto, const Heartbeat& event) {
  if (!hear(m, event.node, event.now)) return;
  if (event.activity == Activity::kReady)
    return node_is_ready(m, event.node, event.base, event.now);
  if (is_over(m.c) || event.activity == Activity::kIdle || event.base != m.c.version)
    tell_where_we_are(m, event.node);
}

void on(Machine& m, auto, const Ready& event) {
  if (hear(m, event.node, event.now)) node_is_ready(m, event.node, event.base, event.now);
}

void on(Machine& m, auto, const Uploaded& event) {
  if (!hear(m, event.node, event.now)) return;
  const round::Round* round = open_round(m.c);
  if (round != nullptr && round->plan.id == event.round)
    return step_round(m, round::Uploaded{event.node, event.upload}, event.now);
  refuse(m, event.node, Code::kExpired, fmt::format("round {} is not open", event.round.value));
  tell_where_we_are(m, event.node);
}

void on(Machine& m, In<Gathering>, const RoundOpened& event) {
  if (ready_count(m.c) < cohort_needed(m.c)) return;
  const std::vector<NodeId> cohort = choose_cohort(m.c, event.seed);
  m.c.last_round.value += 1;
  round::RoundPlan plan{m.c.last_round, m.c.version, m.c.rules.survivors_min, {}};
  if (m.c.rules.masked)
    plan.masked = round::MaskedPlan{event.sid, event.document, m.c.rules.masking};
  const auto size = static_cast<std::uint32_t>(cohort.size());
  for (NodeId node : cohort) {
    if (m.c.rules.masked) {
      m.effects.emplace_back(SendPhase{node, plan.id});
    } else {
      m.effects.emplace_back(SendInvite{node, plan.id, plan.base, size, m.c.rules.round_ms});
    }
  }
  round::Round round = round::begin(std::move(plan), event.now + m.c.rules.round_ms, cohort);
  if (m.c.rules.masked) move_deadline(m.c.rules, round.phase.index(), round, event.now);
  m.c.phase = Collecting{std::move(round)};
  m.c.staged_at.reset();
  m.committed();
}

void on(Machine& m, In<Gathering>, const GaveUp& event) {
  m.c.phase = Failed{event.why.empty() ? why_nobody_came(m.c) : event.why};
  m.committed();
  tell_all(m);
}

void on(Machine& m, In<Collecting>, const DeadlinePassed& event) {
  if (event.round == open_round(m.c)->plan.id) step_round(m, round::DeadlinePassed{}, event.now);
}

void on(Machine& m, In<Summing>, const Spoiled& event) {
  if (event.round != open_round(m.c)->plan.id) return;
  DropUploads drop;
  for (NodeId node : event.nodes) {
    const round::Member* member = round::find(*open_round(m.c), node);
    if (member != nullptr && member->upload) drop.uploads.push_back(*member->upload);
  }
  if (!drop.uploads.empty()) m.effects.emplace_back(std::move(drop));
  step_round(m, round::Spoiled{event.nodes}, event.now);
}

const round::Round* open_masked(const Campaign& c, RoundId id) {
  const round::Round* round = open_round(c);
  return round != nullptr && round->plan.id == id && round->plan.masked ? round : nullptr;
}

// Bytes of it moved: slow is not dead, even where its heartbeats wait behind them.
void on(Machine& m, auto, const Staged& event) {
  const auto heard = m.c.heard.find(event.node);
  if (heard != m.c.heard.end() && heard->second < event.now) {
    heard->second = event.now;
    m.accepted = true;
  }
  if (open_masked(m.c, event.round) != nullptr) m.c.staged_at = event.now;
}

void on(Machine& m, auto, const Said& event) {
  if (!hear(m, event.node, event.now)) return;
  if (open_masked(m.c, event.round) == nullptr) return tell_where_we_are(m, event.node);
  step_round(m, round::Said{event.node, event.kind, event.document, event.enough}, event.now);
}

void on(Machine& m, auto, const Complained& event) {
  if (hear(m, event.node, event.now) && open_masked(m.c, event.round) != nullptr)
    step_round(m, round::Complained{event.node, event.liar}, event.now);
}

void on(Machine& m, auto, const Left& event) {
  if (hear(m, event.node, event.now) && open_masked(m.c, event.round) != nullptr)
    step_round(m, round::Vanished{event.node}, event.now);
}

void on(Machine& m, auto, const Ruined& event) {
  if (open_masked(m.c, event.round) != nullptr)
    step_round(m, round::Ruined{event.why, event.liars}, event.now);
}

void on(Machine& m, auto, const RolledBack& event) { roll_back(m, event); }

void on(Machine& m, auto, const Vanished& event) {
  auto node = m.c.nodes.find(event.node);
  if (is_over(m.c) || node == m.c.nodes.end() || !node->second.here) return;
  change_node(m, event.node, event.now, [](Node& gone) {
    gone.here = false;
    gone.ready.reset();
  });
  m.c.heard.erase(event.node);
  if (std::holds_alternative<Collecting>(m.c.phase))
    step_round(m, round::Vanished{event.node}, event.now);
}

void on(Machine& m, auto, const Recovered& event) {
  if (is_over(m.c)) return;
  for (const auto& [id, node] : m.c.nodes)
    if (node.here) m.c.heard[id] = event.now;
  m.c.staged_at.reset();
  if (auto* gathering = std::get_if<Gathering>(&m.c.phase)) {
    gathering->since = event.now;
    if (gathering->enough_at) gathering->enough_at = event.now;
  }
  m.committed();
  auto* collecting = std::get_if<Collecting>(&m.c.phase);
  if (collecting == nullptr) return;
  round::Round& round = collecting->round;
  round.latest = round.deadline = event.now + m.c.rules.round_ms;
  if (!m.c.rules.masked) return;
  move_deadline(m.c.rules, round.phase.index(), round, event.now);
  step_round(m, round::Restarted{}, event.now);
}

void on(Machine&, auto, const auto&) {}  // anything else means nothing in this phase

}  // namespace

Step step(Campaign state, const Event& event) {
  Machine machine{std::move(state), {}, false, false};
  std::visit([&]<class P>(const P&, const auto& e) { on(machine, In<P>{}, e); }, machine.c.phase,
             event);
  return Step{std::move(machine.c), std::move(machine.effects), machine.accepted, machine.durable};
}

}  // namespace freshet::campaign
