// The phases of a masked round. Each waits for one document of every member that it is about, and
// closes when nobody is waited for any more or its time is over.

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "coordinator/round_machine.h"

namespace freshet::round {
namespace {

template <class T>
bool in(const Round& round) {
  return std::holds_alternative<T>(round.phase);
}

// ---- who a phase is about

bool advertised(const Member& m) { return m.document(Document::kAdvert).has_value(); }
bool dealt(const Member& m) { return m.document(Document::kShares).has_value(); }
bool uploaded(const Member& m) { return m.upload.has_value(); }
bool agreed(const Member& m) { return m.document(Document::kAgreement).has_value(); }
bool revealed(const Member& m) { return m.document(Document::kReveal).has_value(); }
bool gave_up(const Member& m) { return m.document(Document::kAbort).has_value(); }

std::uint32_t count(const Round& round, auto each) {
  return static_cast<std::uint32_t>(std::count_if(round.cohort.begin(), round.cohort.end(), each));
}

// Belongs to the phase and has not answered it.
bool owes(const Round& round, const Member& m) {
  if (in<Advertising>(round)) return !advertised(m);
  if (in<Sharing>(round)) return advertised(m) && !dealt(m);
  if (in<Collecting>(round)) return dealt(m) && !uploaded(m);
  if (in<Agreeing>(round)) return uploaded(m) && !agreed(m);
  if (in<Unmasking>(round)) return uploaded(m) && !revealed(m);
  if (in<Aborting>(round)) return advertised(m) && !gave_up(m) && !agreed(m);
  return false;
}

void tell(Machine& m, bool (*whom)(const Member&)) {
  for (const Member& member : m.round.cohort)
    if (whom(member)) m.effects.emplace_back(Tell{member.node});
}

// ---- how phases end

std::string said_by(const Round& round, std::string_view what, std::uint32_t there,
                    std::uint32_t of) {
  return fmt::format("round {}: {} of {} {}, {} are needed", round.plan.id.value, there, of, what,
                     survivors_needed(round));
}

void abort(Machine& m, std::string why, Base base) {
  m.round.phase = Aborted{std::move(why), base};
}

// From here on a vector may have left its node: only signatures can undo that.
void ask_to_abort(Machine& m, std::string why) {
  m.round.phase = Aborting{std::move(why)};
  tell(m, advertised);
}

void close_roster(Machine& m) {
  const std::uint32_t n = count(m.round, advertised);
  if (n == 0 || survivors_needed(m.round) > n)
    return abort(
        m, said_by(m.round, "nodes came", n, static_cast<std::uint32_t>(m.round.cohort.size())),
        Base::kFree);
  m.round.phase = Sharing{};
  tell(m, advertised);
}

void close_shares(Machine& m) {
  const std::uint32_t there = count(m.round, dealt);
  if (there < survivors_needed(m.round))
    return abort(m, said_by(m.round, "nodes dealt shares", there, count(m.round, advertised)),
                 Base::kFree);
  m.round.phase = Collecting{};
  tell(m, dealt);
}

void close_uploads(Machine& m) {
  const std::uint32_t there = count(m.round, uploaded);
  if (there < survivors_needed(m.round))
    return ask_to_abort(
        m, said_by(m.round, "nodes sent their masked vector", there, count(m.round, dealt)));
  m.round.phase = Agreeing{};
  tell(m, uploaded);
}

void close_agreement(Machine& m) {
  ask_to_abort(m, fmt::format("round {}: {} of {} survivors signed who they are, {} must",
                              m.round.plan.id.value, count(m.round, agreed),
                              count(m.round, uploaded), quorum(m.round)));
}

void close_reveals(Machine& m) {
  abort(m,
        fmt::format("round {}: what {} of {} survivors revealed does not open the sum",
                    m.round.plan.id.value, count(m.round, revealed), count(m.round, uploaded)),
        Base::kSpent);
}

void close_aborting(Machine& m) {
  const auto& aborting = std::get<Aborting>(m.round.phase);
  abort(m,
        fmt::format("{}; and only {} of {} members signed that it was given up, {} must",
                    aborting.why, count(m.round, gave_up), count(m.round, advertised),
                    quorum(m.round)),
        Base::kSpent);
}

void close(Machine& m) {
  if (in<Advertising>(m.round)) return close_roster(m);
  if (in<Sharing>(m.round)) return close_shares(m);
  if (in<Collecting>(m.round)) return close_uploads(m);
  if (in<Agreeing>(m.round)) return close_agreement(m);
  if (in<Unmasking>(m.round)) return close_reveals(m);
  if (in<Aborting>(m.round)) return close_aborting(m);
}

// Closes the phase if it has all it can get. Time alone ends Aborting: who is away may come back.
void look_whether_done(Machine& m) {
  const Round& round = m.round;
  const auto waiting =
      count(round, [&](const Member& member) { return is_waited_for(round, member); });
  if (in<Agreeing>(round)) {
    if (count(round, agreed) >= quorum(round)) {
      m.round.phase = Unmasking{};
      return tell(m, uploaded);
    }
    if (count(round, agreed) + waiting < quorum(round)) return close_agreement(m);
    return;
  }
  if (in<Aborting>(round)) {
    if (count(round, gave_up) >= quorum(round))
      return abort(m, std::get<Aborting>(round.phase).why, Base::kGivenUp);
    const auto able = count(round, [&](const Member& member) { return owes(round, member); });
    if (count(round, gave_up) + able < quorum(round)) close_aborting(m);
    return;
  }
  if (waiting == 0) close(m);
}

// ---- events

void progressed(Machine& m, Member& member) {
  member.vanished = false;
  m.accepted = m.progress = true;
}

bool takes(const Round& round, const Member& member, Document kind) {
  if (in<Aborting>(round) && kind == Document::kAgreement) return uploaded(member);  // on its way
  switch (kind) {
    case Document::kAdvert: return in<Advertising>(round);
    case Document::kShares: return in<Sharing>(round) && advertised(member);
    case Document::kAgreement: return in<Agreeing>(round) && uploaded(member);
    case Document::kReveal: return in<Unmasking>(round) && uploaded(member);
    case Document::kAbort: return in<Aborting>(round) && advertised(member);
  }
  return false;
}

void on(Machine& m, const Said& event) {
  Member* member = m.find(event.node);
  if (member == nullptr)
    return m.refuse(event.node, Code::kRefused, "not in the cohort of this round", true);
  std::optional<Digest>& said = member->said[static_cast<std::size_t>(event.kind)];
  if (said && *said != event.document)
    return m.refuse(event.node, Code::kRefused, "a second, different message for one step", true);
  const bool both = (event.kind == Document::kAbort && agreed(*member)) ||
                    (event.kind == Document::kAgreement && gave_up(*member));
  if (both)
    return m.refuse(event.node, Code::kRefused, "signed both survivors and abort of one round",
                    true);
  // A survivor whose word is no longer needed: what follows from it goes on.
  const bool late =
      uploaded(*member) && ((event.kind == Document::kAgreement && in<Unmasking>(m.round)) ||
                            (event.kind == Document::kReveal && in<Finished>(m.round)));
  if (said || late) {
    m.effects.emplace_back(Tell{event.node});
    return;
  }
  if (!takes(m.round, *member, event.kind))
    return m.refuse(event.node, Code::kExpired, "too late: the round goes on without this node",
                    false);
  said = event.document;
  progressed(m, *member);
  // Shares are what the sum waits for, and the driver knows when they are enough.
  if (event.kind == Document::kReveal && event.enough) {
    m.round.phase = Finished{};
  } else {
    look_whether_done(m);
  }
}

void on(Machine& m, const Uploaded& event) {
  if (answer_known(m, event)) return;
  Member* member = m.find(event.node);
  if (!in<Collecting>(m.round) || !dealt(*member))
    return m.refuse(event.node, Code::kExpired, "too late: the round goes on without this node",
                    false);
  member->upload = event.upload;
  m.effects.emplace_back(Accept{event.node, event.upload});
  progressed(m, *member);
  look_whether_done(m);
}

void on(Machine& m, const Complained& event) {
  Member* complainer = m.find(event.node);
  Member* liar = m.find(event.liar);
  if (complainer == nullptr || liar == nullptr || !dealt(*complainer) || !dealt(*liar)) return;
  if (complainer->vanished && liar->vanished) return;  // settled
  m.effects.emplace_back(Evict{event.liar});
  m.accepted = true;
  liar->vanished = complainer->vanished = true;
  if (in<Collecting>(m.round) && event.liar != event.node)
    return ask_to_abort(
        m, fmt::format("round {}: a node dealt shares that do not open", m.round.plan.id.value));
  look_whether_done(m);
}

void on(Machine& m, const Vanished& event) {
  Member* member = m.find(event.node);
  if (member == nullptr || member->vanished || is_over(m.round)) return;
  member->vanished = true;
  m.accepted = true;
  // Whoever left before the roster is closed need not be in it.
  if (in<Advertising>(m.round)) member->said = {};
  look_whether_done(m);
}

void on(Machine& m, const DeadlinePassed&) {
  if (is_over(m.round)) return;
  m.accepted = true;
  close(m);
}

void on(Machine& m, const Ruined& event) {
  if (in<Aborted>(m.round) || in<Aborting>(m.round)) return;
  for (const NodeId liar : event.liars) m.effects.emplace_back(Evict{liar});
  m.accepted = true;
  if (in<Advertising>(m.round) || in<Sharing>(m.round)) return abort(m, event.why, Base::kFree);
  if (in<Collecting>(m.round)) return ask_to_abort(m, event.why);
  abort(m, event.why, Base::kSpent);
}

void on(Machine& m, const Restarted&) {
  if (!in<Advertising>(m.round) && !in<Sharing>(m.round)) return;
  m.accepted = true;
  abort(m,
        fmt::format("round {}: the coordinator started again before shares were dealt",
                    m.round.plan.id.value),
        Base::kFree);
}

void on(Machine&, const Spoiled&) {}  // nobody can tell whose vector spoils a masked sum

}  // namespace

void step_masked(Machine& m, const Event& event) {
  const std::size_t phase = m.round.phase.index();
  std::visit([&](const auto& e) { on(m, e); }, event);
  m.progress = m.progress || m.round.phase.index() != phase;
}

std::vector<const Member*> roster(const Round& round) {
  std::vector<const Member*> members;
  for (const Member& member : round.cohort)
    if (advertised(member)) members.push_back(&member);
  return members;
}

namespace {

Places places(const Round& round, bool (*which)(const Member&)) {
  Places list;
  std::uint32_t place = 0;
  for (const Member& member : round.cohort) {
    if (!advertised(member)) continue;
    if (which(member)) list.push_back(place);
    ++place;
  }
  return list;
}

}  // namespace

Places sharers(const Round& round) { return places(round, dealt); }
Places survivor_places(const Round& round) { return places(round, uploaded); }

std::optional<std::uint32_t> place_of(const Round& round, NodeId node) {
  std::uint32_t place = 0;
  for (const Member& member : round.cohort) {
    if (!advertised(member)) continue;
    if (member.node == node) return place;
    ++place;
  }
  return std::nullopt;
}

std::uint32_t quorum(const Round& round) {
  CHECK(round.plan.masked.has_value(), "a quorum of a round that is not masked");
  return quorum_of(count(round, advertised), round.plan.masked->rules.corrupt);
}

std::uint32_t survivors_needed(const Round& round) {
  CHECK(round.plan.masked.has_value(), "round {} is not masked", round.plan.id.value);
  const MaskingPlan& rules = round.plan.masked->rules;
  const std::uint32_t n = count(round, advertised);
  return std::max({quorum_of(n, rules.corrupt), round.plan.survivors_min,
                   rules.honest_min + part_of(n, rules.corrupt)});
}

bool wants(const Round& round, NodeId node, Document kind) {
  const Member* member = find(round, node);
  return member != nullptr && !member->document(kind) && takes(round, *member, kind);
}

bool may_have_masked(const Round& round) {
  if (const auto* aborted = std::get_if<Aborted>(&round.phase)) return aborted->base != Base::kFree;
  return !in<Advertising>(round) && !in<Sharing>(round) && count(round, dealt) > 0;
}

bool is_waited_for(const Round& round, const Member& member) {
  if (round.plan.masked) return !member.vanished && owes(round, member);
  return !member.vanished && !member.upload && in<Collecting>(round);
}

}  // namespace freshet::round
