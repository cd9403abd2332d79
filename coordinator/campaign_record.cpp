#include "coordinator/campaign_record.h"

#include <fmt/core.h>

#include "base/limits.h"
#include "coordinator/record_io.h"

namespace freshet::campaign {

using namespace record_io;

namespace {

constexpr std::uint8_t kEventForm = 'E', kStateForm = 'S';

// ---- events

void put(auto& io, Is<EvaluationTotals> auto& t) { put(io, t.millibits), put(io, t.bytes); }
void put(auto& io, Is<RolledBack> auto& e) { put(io, e.to), put(io, e.adapter), put(io, e.now); }

// Of forms that stand here.
void maybe(auto& io, auto& value) {
  bool there = value.has_value();
  flag(io, there);
  if (!there) return;
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) value.emplace();
  put(io, *value);
}

void put(auto& io, Is<Hello> auto& e) { put(io, e.node), put(io, e.now); }
void put(auto& io, Is<Heartbeat> auto& e) {
  put(io, e.node), put(io, e.base);
  choice(io, e.activity, Activity::kUploading);
  put(io, e.now);
}
void put(auto& io, Is<Ready> auto& e) { put(io, e.node), put(io, e.base), put(io, e.now); }
void put(auto& io, Is<Uploaded> auto& e) {
  put(io, e.node), put(io, e.round), put(io, e.upload), put(io, e.now);
}
void put(auto& io, Is<Summed> auto& e) {
  put(io, e.round), put(io, e.version), put(io, e.adapter), put(io, e.now), put(io, e.sum);
  maybe(io, e.totals);
}
void put(auto& io, Is<GroupSummed> auto& e) {
  put(io, e.round), put(io, e.mean), put(io, e.sum), maybe(io, e.totals), put(io, e.now);
}
void put(auto& io, Is<Combined> auto& e) { put(io, e.version), put(io, e.adapter), put(io, e.now); }
void put(auto& io, Is<HeldBack> auto& e) { put(io, e.round), put(io, e.why), put(io, e.now); }
void put(auto& io, Is<GroupsClosed> auto& e) { put(io, e.now); }
void put(auto& io, Is<Spoiled> auto& e) {
  put(io, e.round);
  sequence(io, e.nodes, limits::kCohortMax, [&](auto& node) { put(io, node); });
  put(io, e.now);
}
void put(auto& io, Is<Vanished> auto& e) { put(io, e.node), put(io, e.now); }
void put(auto& io, Is<RoundOpened> auto& e) {
  put(io, e.now), put(io, e.seed), put(io, e.sid), put(io, e.document);
}
void put(auto& io, Is<DeadlinePassed> auto& e) { put(io, e.round), put(io, e.now); }
void put(auto& io, Is<GaveUp> auto& e) { put(io, e.now), put(io, e.why); }
void put(auto& io, Is<Recovered> auto& e) { put(io, e.now); }
void put(auto& io, Is<Staged> auto& e) { put(io, e.node), put(io, e.round), put(io, e.now); }
void put(auto& io, Is<Said> auto& e) {
  put(io, e.node), put(io, e.round);
  choice(io, e.kind, round::Document::kAbort);
  put(io, e.document);
  flag(io, e.enough);
  put(io, e.now);
}
void put(auto& io, Is<Complained> auto& e) {
  put(io, e.node), put(io, e.liar), put(io, e.round), put(io, e.now);
}
void put(auto& io, Is<Left> auto& e) { put(io, e.node), put(io, e.round), put(io, e.now); }
void put(auto& io, Is<Ruined> auto& e) {
  put(io, e.round), put(io, e.why);
  sequence(io, e.liars, limits::kCohortMax, [&](auto& node) { put(io, node); });
  put(io, e.now);
}

// ---- the state

void put(auto& io, Is<Fraction> auto& f) {
  put(io, f.part), put(io, f.whole);
  io.require(f.whole >= 1 && f.part <= f.whole);
}

void put(auto& io, Is<MaskingPlan> auto& m) {
  put(io, m.honest_min), put(io, m.corrupt), put(io, m.dropped), put(io, m.newcomers);
  put(io, m.phase_ms);
  io.require(m.honest_min <= limits::kCohortMax && m.phase_ms >= 1 && m.phase_ms <= kDurationMax);
}

void put(auto& io, Is<Rules> auto& r) {
  put(io, r.rounds), put(io, r.cohort_min), put(io, r.cohort_max), put(io, r.survivors_min);
  put(io, r.ready_ms), put(io, r.round_ms), put(io, r.gather_ms);
  io.require(r.rounds >= 1 && r.rounds <= limits::kRoundsMax && r.survivors_min >= 1);
  io.require(r.survivors_min <= r.cohort_min && r.cohort_min <= r.cohort_max &&
             r.cohort_max <= limits::kCohortMax);
  for (std::int64_t duration : {r.ready_ms, r.round_ms, r.gather_ms})
    io.require(duration >= 0 && duration <= kDurationMax);
  flag(io, r.masked);
  put(io, r.masking);
  put(io, r.groups), put(io, r.groups_min);
  io.require(r.groups >= 1 && r.groups <= limits::kGroupsMax && r.groups_min >= 1 &&
             r.groups_min <= r.groups);
}

void put(auto& io, Is<Published> auto& p) {
  put(io, p.version), put(io, p.round), put(io, p.adapter), put(io, p.nodes), put(io, p.totals);
  put(io, p.repeats);
}

void put(auto& io, Is<Group> auto& g) {
  put(io, g.round), put(io, g.mean), put(io, g.nodes), put(io, g.totals);
}

void put(auto& io, Is<Node> auto& n) {
  put(io, n.ready), put(io, n.offences);
  flag(io, n.here);
  put(io, n.spent);
  io.require(n.offences <= limits::kOffencesMax &&
             (n.here || ((n.offences > 0 || n.spent) && !n.ready)));
}

template <class T>
void alternative(auto& io, auto& phase,
                 auto each) {  // reads into, or writes from, the alternative T
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) {
    each(phase.template emplace<T>());
  } else {
    each(std::get<T>(phase));
  }
}

template <std::size_t I = 0>
void put_phase(auto& io, auto& phase, std::size_t kind) {
  if constexpr (I < std::variant_size_v<round::Phase>) {
    using T = std::variant_alternative_t<I, round::Phase>;
    if (kind != I) return put_phase<I + 1>(io, phase, kind);
    alternative<T>(io, phase, [&](auto& p) {
      if constexpr (requires { p.why; }) put(io, p.why);
      if constexpr (requires { p.base; }) choice(io, p.base, round::Base::kSpent);
    });
  } else {
    io.require(false);
  }
}

void put(auto& io, Is<round::MaskedPlan> auto& m) {
  put(io, m.sid), put(io, m.document), put(io, m.rules);
}

void put(auto& io, Is<round::Round> auto& r) {
  put(io, r.plan.id), put(io, r.plan.base), put(io, r.plan.survivors_min);
  bool masked = r.plan.masked.has_value();
  flag(io, masked);
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) {
    if (masked) put(io, r.plan.masked.emplace());
  } else {
    if (masked) put(io, *r.plan.masked);
  }
  put_deadline(io, r.deadline), put_deadline(io, r.latest);
  sequence(io, r.cohort, limits::kCohortMax, [&](auto& member) {
    put(io, member.node), put(io, member.upload);
    flag(io, member.vanished);
    for (auto& document : member.said) put(io, document);
  });
  rising(io, r.cohort, [](const round::Member& member) { return member.node; });
  io.require(!r.cohort.empty());
  auto kind = static_cast<std::uint8_t>(r.phase.index());
  io.number(kind);
  put_phase(io, r.phase, kind);
}

void put(auto& io, Is<Phase> auto& phase) {
  auto kind = static_cast<std::uint8_t>(phase.index());
  io.number(kind);
  switch (kind) {
    case 0:
      return alternative<Gathering>(
          io, phase, [&](auto& g) { put(io, g.since), put(io, g.ready), put(io, g.enough_at); });
    case 1: return alternative<Collecting>(io, phase, [&](auto& c) { put(io, c.round); });
    case 2: return alternative<Summing>(io, phase, [&](auto& s) { put(io, s.round); });
    case 3: return alternative<Finished>(io, phase, [](auto&) {});
    case 4: return alternative<Failed>(io, phase, [&](auto& f) { put(io, f.why); });
    case 5: return alternative<Combining>(io, phase, [](auto&) {});
    default: return io.require(false);
  }
}

void put(auto& io, Is<Campaign> auto& c) {
  put(io, c.id), put(io, c.rules), put(io, c.version), put(io, c.adapter), put(io, c.last_round),
      put(io, c.aborts);
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) {
    std::vector<std::pair<NodeId, Node>> nodes;
    sequence(io, nodes, limits::kKnownNodesMax,
             [&](auto& entry) { put(io, entry.first), put(io, entry.second); });
    rising(io, nodes, [](const auto& entry) { return entry.first; });
    c.nodes = std::map<NodeId, Node>(nodes.begin(), nodes.end());
  } else {
    sequence(io, c.nodes, limits::kKnownNodesMax,
             [&](auto& entry) { put(io, entry.first), put(io, entry.second); });
  }
  sequence(io, c.given_up, limits::kRoundAbortsMax, [&](auto& round) { put(io, round); });
  sequence(io, c.published, limits::kVersionsKept, [&](auto& each) { put(io, each); });
  sequence(io, c.groups, limits::kGroupsMax, [&](auto& group) { put(io, group); });
  put(io, c.held_back), maybe(io, c.rollback);
  put(io, c.phase);
}

bool given_up(const round::Round& round) {
  const auto* aborted = std::get_if<round::Aborted>(&round.phase);
  return aborted != nullptr && aborted->base == round::Base::kGivenUp && round.plan.masked;
}

// Versions follow one another up to the current one, groups are of the rounds that are over.
bool versions_hold_together(const Campaign& c) {
  if (c.published.empty() || c.published.back().version != c.version ||
      c.published.back().adapter != c.adapter)
    return false;
  for (std::size_t i = 1; i < c.published.size(); ++i)
    if (c.published[i].version.value != c.published[i - 1].version.value + 1) return false;
  for (const Group& group : c.groups)
    if (group.round > c.last_round) return false;
  if (c.groups.size() > (c.rules.groups > 1 ? c.rules.groups : 0)) return false;
  const bool combining = std::holds_alternative<Combining>(c.phase);
  if (combining && (c.groups.empty() || c.groups.size() < c.rules.groups_min)) return false;
  if (c.rollback &&
      (std::holds_alternative<Gathering>(c.phase) || find(c, c.rollback->to) == nullptr))
    return false;
  return true;
}

// What holds between the parts of every state that step() makes.
bool holds_together(const Campaign& c) {
  if (!versions_hold_together(c)) return false;
  const bool finished = std::holds_alternative<Finished>(c.phase),
             failed = std::holds_alternative<Failed>(c.phase);
  if (c.version.value > c.rules.rounds || finished != (c.version.value == c.rules.rounds))
    return false;
  if (c.aborts > limits::kRoundAbortsMax || (!failed && c.aborts == limits::kRoundAbortsMax))
    return false;
  for (const auto& [id, node] : c.nodes)
    if (node.ready && *node.ready > c.version) return false;
  if (const auto* gathering = std::get_if<Gathering>(&c.phase))
    return gathering->ready == ready_count(c) &&
           gathering->enough_at.has_value() == (gathering->ready >= cohort_needed(c));
  for (const round::Round& round : c.given_up)
    if (!given_up(round) || round.plan.base != c.version) return false;
  const round::Round* round = open_round(c);
  if (round == nullptr) return true;
  if (round->plan.masked.has_value() != c.rules.masked) return false;
  const bool finished_round = std::holds_alternative<round::Finished>(round->phase);
  if (finished_round != std::holds_alternative<Summing>(c.phase)) return false;
  if (std::holds_alternative<round::Aborted>(round->phase)) return false;
  if (round->plan.id != c.last_round || round->plan.base != c.version) return false;
  if (round->plan.survivors_min != c.rules.survivors_min) return false;
  return std::holds_alternative<Collecting>(c.phase) ||
         round::survivors(*round).size() >= round->plan.survivors_min;
}

void put_stamp(Writer& io, std::uint8_t form) {
  io.number(kMachineVersion);
  io.number(form);
}

Result<void> take_stamp(Reader& io, std::uint8_t form, std::string_view what) {
  std::uint16_t version = 0;
  std::uint8_t found = 0;
  io.number(version);
  io.number(found);
  if (!io.good() || found != form)
    return fail(Code::kCorrupt, fmt::format("this is no {} of a campaign", what));
  if (version != kMachineVersion)
    return fail(
        Code::kCorrupt,
        fmt::format("{} of a campaign is of machine version {}, this program speaks {}: finish "
                    "the campaign with the program that began it",
                    what, version, kMachineVersion));
  return {};
}

template <std::size_t I = 0>
void take_event(Reader& io, std::size_t kind, Event& event) {
  if constexpr (I < std::variant_size_v<Event>) {
    if (kind == I) return put(io, event.emplace<I>());
    take_event<I + 1>(io, kind, event);
  } else {
    io.require(false);
  }
}

}  // namespace

Bytes encode(const Event& event) {
  Writer io;
  put_stamp(io, kEventForm);
  io.number(static_cast<std::uint8_t>(event.index()));
  std::visit([&](const auto& e) { put(io, e); }, event);
  return std::move(io.bytes);
}

Result<Event> decode_event(ByteView entry) {
  Reader io(entry);
  TRY(take_stamp(io, kEventForm, "journal entry"));
  std::uint8_t kind = 0;
  io.number(kind);
  Event event;
  take_event(io, kind, event);
  if (!io.done())
    return fail(Code::kCorrupt,
                fmt::format("a journal entry of {} bytes does not decode", entry.size()));
  return event;
}

Bytes encode(const Campaign& campaign) {
  Writer io;
  put_stamp(io, kStateForm);
  put(io, campaign);
  return std::move(io.bytes);
}

Result<Campaign> decode_campaign(ByteView snapshot) {
  Reader io(snapshot);
  TRY(take_stamp(io, kStateForm, "snapshot"));
  Campaign campaign;
  put(io, campaign);
  if (!io.done() || !holds_together(campaign))
    return fail(Code::kCorrupt,
                fmt::format("a campaign snapshot of {} bytes does not decode", snapshot.size()));
  return campaign;
}

Result<void> replay(Campaign& campaign, ByteView entry, std::vector<Effect>* effects) {
  TRY_ASSIGN(const Event event, decode_event(entry));
  Step stepped = step(std::move(campaign), event);
  campaign = std::move(stepped.next);
  if (effects != nullptr) *effects = std::move(stepped.effects);
  if (!stepped.durable)
    return fail(Code::kCorrupt,
                "a journal entry changes nothing: the journal is not of this state");
  return {};
}

}  // namespace freshet::campaign
