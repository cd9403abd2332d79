// What the coordinator says in a masked round, checked and handed to the exchange.

#include "edge_node/masked_round.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"

namespace freshet {
namespace {

constexpr std::int64_t kPatiencePhases = 4;  // without progress: the coordinator is gone
constexpr std::int64_t kPhases = 6;          // of a round, with the one in which it is given up

exchange::Terms terms_of(const MaskedRoundPlan& plan) {
  const Descriptor& descriptor = plan.descriptor;
  exchange::Terms terms{sid_of(descriptor), descriptor.campaign, descriptor.round,
                        descriptor.base,    plan.rules,          0};
  terms.patience_ms =
      kPatiencePhases * std::clamp<std::int64_t>(descriptor.phase_ms, 1'000, limits::kRoundMsMax);
  terms.lifetime_ms =
      kPhases * std::clamp<std::int64_t>(plan.round_ms, 1'000, limits::kRoundMsMax) +
      terms.patience_ms;
  return terms;
}

}  // namespace

MaskedRound::MaskedRound(const Identity& identity, MaskedRoundPlan plan, MaskedRoundHooks hooks,
                         secagg::RoundKeys keys)
    : identity_(identity),
      plan_(std::move(plan)),
      hooks_(std::move(hooks)),
      keys_(std::move(keys)) {}

Result<std::unique_ptr<MaskedRound>> MaskedRound::join(const Identity& identity,
                                                       MaskedRoundPlan plan, MaskedRoundHooks hooks,
                                                       secagg::RoundKeys keys, Instant now) {
  exchange::Step begun = exchange::begin(terms_of(plan), now);
  std::unique_ptr<MaskedRound> round(
      new MaskedRound(identity, std::move(plan), std::move(hooks), std::move(keys)));
  round->exchange_ = std::move(begun.next);
  TRY(round->act(exchange::SendAdvert{}, now));
  return round;
}

Result<void> MaskedRound::feed(const exchange::Event& event, Instant now) {
  exchange::Step step = exchange::step(std::move(exchange_), event);
  exchange_ = std::move(step.next);
  for (const exchange::Effect& effect : step.effects)
    TRY(std::visit([&](const auto& each) { return act(each, now); }, effect));
  return {};
}

Result<void> MaskedRound::refused(Declined declined, std::string why, Instant now) {
  return feed(exchange::Failed{exchange::Ending::kRefused, declined, std::move(why), now}, now);
}
Result<void> MaskedRound::gave_up(const Error& error, Declined declined, Instant now) {
  return feed(exchange::Failed{exchange::Ending::kFailed, declined, error.what, now}, now);
}

const exchange::Members* MaskedRound::survivors() const { return agreed_ ? &*agreed_ : nullptr; }

// ---- the roster

Result<void> MaskedRound::take(const RosterPage& page, Instant now) {
  if (page.sid != sid() || !std::holds_alternative<exchange::Advertised>(exchange_.phase))
    return {};
  if (page.total == 0 || page.total > limits::kMaskedCohortMax ||
      page.members.size() > limits::kRosterPageMembers || page.first > page.total ||
      page.members.size() > page.total - page.first)
    return refused(Declined::kRoster, "a page of the roster does not fit into it", now);
  if (!pages_)
    pages_ = Pages{page.total,
                   page.opening,
                   page.trust,
                   page.trust_bytes,
                   std::vector<RosterMember>(page.total),
                   std::vector<bool>(page.total),
                   0};
  if (pages_->total != page.total || pages_->opening != page.opening)
    return refused(Declined::kRoster, "the pages of the roster are of two rosters", now);
  for (std::size_t i = 0; i < page.members.size(); ++i) {
    const std::size_t at = page.first + i;
    if (pages_->has[at] && !(pages_->members[at] == page.members[i]))
      return refused(Declined::kRoster, "the pages of the roster are of two rosters", now);
    if (pages_->has[at]) continue;
    pages_->members[at] = page.members[i];
    pages_->has[at] = true;
    ++pages_->here;
  }
  return pages_->here == pages_->total ? check_whole_roster(now) : Result<void>();
}

Result<void> MaskedRound::trust_arrived(Instant now) {
  const bool waits = std::holds_alternative<exchange::Advertised>(exchange_.phase) && pages_ &&
                     pages_->here == pages_->total;
  return waits ? check_whole_roster(now) : Result<void>();
}

Result<void> MaskedRound::check_whole_roster(Instant now) {
  const std::shared_ptr<const Trust> trust = hooks_.trust();
  const RosterRules rules{*trust,          hooks_.wall_s(),  2,
                          plan_.newcomers, plan_.newcomer_s, identity_.open.id()};
  auto checked = check_roster(plan_.descriptor, pages_->opening, pages_->members, rules);
  if (!checked && checked.error().code == Code::kUnavailable) {
    hooks_.fetch_trust(pages_->trust, pages_->trust_bytes);
    return {};
  }
  if (!checked) return refused(Declined::kRoster, checked.error().what, now);
  const auto own = place_of(*checked, identity_.open.id(), keys_->advert());
  if (!own) return refused(Declined::kRoster, own.error().what, now);
  own_ = *own;
  auto roster = exchange_roster(*checked);
  if (!roster) return refused(Declined::kRoster, roster.error().what, now);
  roster_ = std::move(*checked);
  pages_.reset();
  return feed(exchange::RosterChecked{std::move(*roster), now}, now);
}

Result<exchange::Roster> MaskedRound::exchange_roster(const CheckedRoster& checked) const {
  const auto n = static_cast<std::uint32_t>(checked.members.size());
  TRY_ASSIGN(const GraphPlan graph, graph_of(plan_.descriptor, n));
  exchange::Roster roster;
  roster.digest = checked.digest;
  roster.members = n;
  roster.own = own_;
  roster.quorum = quorum_of(n, plan_.descriptor.corrupt);
  roster.shares = graph.threshold;
  roster.neighbours = Graph(checked.graph_seed, n, graph.degree).neighbours(own_);
  return roster;
}

// ---- shares of the others

// kBadInput: the box of a lying sender. Other errors: the coordinator's doing.
Result<exchange::Box> MaskedRound::open(const SignedBox& box) {
  if (box.peer >= roster_->members.size() || box.peer == own_)
    return fail(Code::kRefused, "a box of shares comes from nobody in the roster");
  const SigningPublic& sender = roster_->members[box.peer].certificate.keys.signing;
  if (!verify(sender, kBoxDomain, signed_box({sid(), roster_->digest, box.peer, own_}, box.box),
              box.signature))
    return fail(Code::kRefused, fmt::format("the box of member {} is not signed by it", box.peer));
  secagg::SealedShare share{own_, box.box};
  const auto taken = keys_->take(box.peer, share);
  if (taken) return exchange::Box{box.peer, true};
  if (taken.error().code != Code::kBadInput) return tl::unexpected(taken.error());
  bad_[box.peer] = box;
  return exchange::Box{box.peer, false};
}

Result<void> MaskedRound::take(const Forward& forward, Instant now) {
  if (forward.sid != sid()) return {};
  exchange::Forwarded event{forward.sharers, {}, now};
  if (!std::holds_alternative<exchange::Shared>(exchange_.phase)) return feed(event, now);
  if (forward.boxes.size() >= roster_->members.size())
    return refused(Declined::kRoster, "more boxes of shares than members", now);
  for (const SignedBox& box : forward.boxes) {
    auto opened = open(box);
    if (!opened) return refused(Declined::kRoster, opened.error().what, now);
    event.boxes.push_back(*opened);
  }
  return feed(event, now);
}

// ---- the end of it

Outcome MaskedRound::outcome(const exchange::Members& sharers,
                             const exchange::Members& survivors) const {
  return {sid(), roster_->digest, index_list_digest(sharers), index_list_digest(survivors)};
}

Result<void> MaskedRound::take(const Survivors& survivors, Instant now) {
  if (survivors.sid != sid()) return {};
  return feed(exchange::SurvivorsNamed{survivors.survivors, now}, now);
}

Result<void> MaskedRound::take(const Quorum& quorum, Instant now) {
  const auto* agreed = std::get_if<exchange::Agreed>(&exchange_.phase);
  if (quorum.sid != sid() || agreed == nullptr) return {};
  if (quorum.signatures.size() > roster_->members.size())
    return refused(Declined::kQuorum, "more signatures than members", now);
  const Bytes covered = signed_survivors(outcome(agreed->sharers, agreed->survivors));
  exchange::QuorumArrived event{{}, now};
  for (const IndexedSignature& each : quorum.signatures) {
    const bool good = each.index < roster_->members.size() &&
                      verify(roster_->members[each.index].certificate.keys.signing,
                             kSurvivorsDomain, covered, each.signature);
    event.votes.push_back({each.index, good});
  }
  return feed(event, now);
}

Result<void> MaskedRound::take(const AskAbort& ask, Instant now) {
  if (ask.sid != sid()) return {};
  return feed(exchange::AbortAsked{ask.why, now}, now);
}

Result<void> MaskedRound::take(const ChunkAck& ack, Instant now) {
  return feed(exchange::ChunkAcked{ack.blob, ack.next_offset, now}, now);
}

}  // namespace freshet
