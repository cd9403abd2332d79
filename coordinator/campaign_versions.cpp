// How sums become versions, how groups of sums do, and how a version is held back or taken back.

#include <fmt/core.h>

#include <algorithm>

#include "base/limits.h"
#include "coordinator/campaign_machine.h"

namespace freshet::campaign {
namespace {

// The one place where a version is published.
void publish(Campaign& c, Published next) {
  c.version = next.version;
  c.adapter = next.adapter;
  c.given_up.clear();
  c.groups.clear();
  c.held_back.clear();
  c.rollback.reset();
  c.published.push_back(std::move(next));
  if (c.published.size() > limits::kVersionsKept) c.published.erase(c.published.begin());
}

void go_on(Machine& m, Instant now) {
  if (m.c.version.value >= m.c.rules.rounds) {
    m.c.phase = Finished{};
  } else {
    m.c.phase = Gathering{now, ready_count(m.c), std::nullopt};
    note_ready(m.c, now);
  }
}

// The next version is an earlier one.
void repeat(Machine& m, VersionId of, const Digest& adapter, Instant now) {
  publish(m.c, {{m.c.version.value + 1}, {}, adapter, 0, {}, of});
  go_on(m, now);
  tell_all(m);
}

void combine(Machine& m) {
  CombineGroups effect{m.c.version, {}};
  for (const Group& group : m.c.groups) effect.means.push_back(group.mean);
  m.c.phase = Combining{};
  m.effects.emplace_back(std::move(effect));
}

std::uint32_t nodes_in(const round::Round& round) {
  return static_cast<std::uint32_t>(round::survivors(round).size());
}

}  // namespace

void close(Machine& m, const round::Round& round, bool published, const Digest& sum,
           VersionId into) {
  SendReceipt receipt;
  receipt.round = round.plan.id;
  receipt.published = published;
  receipt.version = std::max(into, m.c.version);
  DropUploads drop;
  if (published && round.plan.masked)
    receipt.masked = {round.plan.masked->sid, round::survivor_places(round), sum};
  for (const round::Member& member : round.cohort) receipt.to.push_back(member.node);
  for (const round::Survivor& survivor : round::survivors(round)) {
    if (published) receipt.survivors.push_back(survivor.node);
    drop.uploads.push_back(survivor.upload);
  }
  m.effects.emplace_back(std::move(receipt));
  if (!drop.uploads.empty()) m.effects.emplace_back(std::move(drop));
}

void spend(Machine& m, const round::Round& round) {
  for (const round::Member& member : round.cohort) {
    if (!member.document(round::Document::kShares)) continue;
    const auto [spent, is_gone] = m.c.nodes.try_emplace(member.node);
    spent->second.spent = round.plan.base;
    if (is_gone) spent->second.here = false;
  }
}

void gather(Machine& m, Instant now) {
  if (const auto back = m.c.rollback) return repeat(m, back->to, back->adapter, now);
  go_on(m, now);
}

void try_again(Machine& m, const std::string& why, Instant now) {
  if (++m.c.aborts < limits::kRoundAbortsMax) return gather(m, now);
  m.c.phase = Failed{fmt::format("{} rounds in a row were aborted; the last: {}", m.c.aborts, why)};
  tell_all(m);
}

void on(Machine& m, In<Summing>, const Summed& event) {
  const round::Round round = *open_round(m.c);
  const bool next = event.version.value == m.c.version.value + 1;
  if (event.round != round.plan.id || !next || m.c.rules.groups > 1) return;
  m.c.aborts = 0;
  m.committed();
  if (m.c.rollback) {  // nothing of this round is used
    close(m, round, false);
    return gather(m, event.now);
  }
  publish(m.c, {event.version, event.round, event.adapter, nodes_in(round),
                event.totals.value_or(EvaluationTotals{}), std::nullopt});
  close(m, round, true, event.sum);
  go_on(m, event.now);
  tell_all(m);
}

// ---- groups

// Who was in one group is in no other; its node sees to that, too.
void on(Machine& m, In<Summing>, const GroupSummed& event) {
  const round::Round round = *open_round(m.c);
  if (event.round != round.plan.id || m.c.rules.groups <= 1) return;
  m.c.aborts = 0;
  m.committed();
  m.c.groups.push_back(
      {event.round, event.mean, nodes_in(round), event.totals.value_or(EvaluationTotals{})});
  spend(m, round);
  close(m, round, true, event.sum, {m.c.version.value + 1});
  if (m.c.rollback || m.c.groups.size() < m.c.rules.groups) return gather(m, event.now);
  combine(m);
}

void on(Machine& m, In<Gathering>, const GroupsClosed&) {
  if (m.c.groups.empty() || m.c.groups.size() < m.c.rules.groups_min) return;
  m.committed();
  combine(m);
}

void on(Machine& m, In<Combining>, const Combined& event) {
  if (event.version.value != m.c.version.value + 1) return;
  m.committed();
  if (m.c.rollback) return gather(m, event.now);
  Published next{event.version, m.c.last_round, event.adapter, 0, {}, std::nullopt};
  for (const Group& group : m.c.groups) {
    next.nodes += group.nodes;
    next.totals.millibits += group.totals.millibits;
    next.totals.bytes += group.totals.bytes;
  }
  publish(m.c, std::move(next));
  go_on(m, event.now);
  tell_all(m);
}

// ---- what is held back, and what is taken back

// Under masks a sum was opened: its nodes contribute from this version no second time. In the other
// mode they go on at once, from the same adapter as another version.
void on(Machine& m, In<Summing>, const HeldBack& event) {
  const round::Round round = *open_round(m.c);
  if (event.round != round.plan.id) return;
  m.committed();
  if (m.c.rules.masked) {
    m.c.held_back = event.why;
    return step_round(m, round::Ruined{event.why, {}}, event.now);
  }
  close(m, round, false);
  if (!m.c.rollback) m.c.rollback = RolledBack{m.c.version, m.c.adapter, event.now};
  try_again(m, event.why, event.now);
}

void on(Machine& m, In<Combining>, const HeldBack& event) {
  if (event.round != m.c.last_round) return;
  m.committed();
  m.c.held_back = event.why;
  m.c.groups.clear();
  try_again(m, event.why, event.now);
}

void roll_back(Machine& m, const RolledBack& event) {
  if (is_over(m.c) || find(m.c, event.to) == nullptr) return;
  m.committed();
  m.c.rollback = event;
  if (std::holds_alternative<Gathering>(m.c.phase)) gather(m, event.now);
}

}  // namespace freshet::campaign
