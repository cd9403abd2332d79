// What members of a masked round say, checked.

#include <fmt/core.h>

#include <algorithm>

#include "aggregation/pack.h"
#include "base/limits.h"
#include "coordinator/round_book.h"
#include "coordinator/round_papers.h"
#include "crypto/digest.h"

namespace freshet {
namespace {

tl::unexpected<Error> not_signed(std::string_view what) {
  return fail(Code::kBadInput, fmt::format("{} is not signed by its sender for this round", what));
}

}  // namespace

Result<std::uint32_t> RoundBook::place(const round::Round& round, NodeId node) const {
  if (!roster_) return fail(Code::kExpired, "the round has no roster yet");
  if (const auto place = round::place_of(round, node)) return *place;
  return fail(Code::kExpired, "too late: the round goes on without this node");
}

const SigningPublic& RoundBook::key(std::uint32_t place) const {
  return roster_->members[place].certificate.keys.signing;
}

std::vector<std::uint32_t> RoundBook::neighbours(std::uint32_t place) const {
  return graph_->neighbours(place);
}

RoundBook::Heard RoundBook::said(const round::Round& round, NodeId node, round::Document kind,
                                 ByteView document, Instant now) {
  const Digest digest = digest_of(document);
  if (round::wants(round, node, kind)) TRY(hooks_.put(document));  // nothing else fills the disk
  return campaign::Said{node, round.plan.id, kind, digest, false, now};
}

// Whom the others would refuse does not get into the roster: it would end the round of all.
Result<void> RoundBook::admit(const CheckedMember& member) {
  const NodeId node = member.certificate.id();
  const auto known = adverts_.find(node);
  if (known != adverts_.end() && known->second.advert == member.advert) return {};
  if (known != adverts_.end()) {  // it left and came back with other keys
    adverts_.erase(known);
    distinct_ = Distinct();
    for (const auto& [other, theirs] : adverts_) TRY(distinct_.take(theirs));
  }
  TRY(distinct_.take(member));
  adverts_.emplace(node, member);
  return {};
}

// A roster above its cap of newcomers would be refused by all. Who came first is in it; the others
// wait until enough of those who enrolled earlier have come, or for the next round.
RoundBook::Room RoundBook::room_for(const round::Round& round, const CheckedMember& member,
                                    const RosterRules& rules) const {
  if (!is_newcomer(member.certificate, rules)) return Room::kNow;
  std::uint32_t others = 0, newcomers = 1, may_come = 0;
  for (const round::Member& each : round.cohort) {
    if (each.node == member.certificate.id()) continue;
    if (each.document(round::Document::kAdvert)) {
      const auto known = adverts_.find(each.node);
      const bool is_new = known != adverts_.end() && is_newcomer(known->second.certificate, rules);
      ++(is_new ? newcomers : others);
    } else if (!each.vanished && !held_back_.contains(each.node)) {
      ++may_come;
    }
  }
  const Fraction& cap = document_.descriptor.newcomers;
  if (newcomers <= part_of(others + newcomers, cap)) return Room::kNow;
  return newcomers <= part_of(others + newcomers + may_come, cap) ? Room::kLater : Room::kNever;
}

RoundBook::Heard RoundBook::take(const round::Round& round, NodeId node, const Advertise& message,
                                 Instant now) {
  const std::shared_ptr<const Trust> trust = hooks_.trust();
  const RosterMember member{message.certificate, message.advert, message.signature};
  const RosterRules rules{.trust = *trust, .now_s = hooks_.wall_s()};
  TRY_ASSIGN(const CheckedMember checked, check_member(sid_, member, rules));
  if (checked.certificate.id() != node)
    return fail(Code::kRefused, "the certificate is another node's");
  if (round::wants(round, node, round::Document::kAdvert)) {
    switch (room_for(round, checked, rules)) {
      case Room::kNever: return campaign::Left{node, round.plan.id, now};
      case Room::kLater: held_back_.insert(node); return campaign::Hello{node, now};
      case Room::kNow: held_back_.erase(node); break;
    }
    TRY(admit(checked));
  }
  return said(round, node, round::Document::kAdvert, papers::of_advert(member), now);
}

RoundBook::Heard RoundBook::take(const round::Round& round, NodeId node, const ShareBundle& message,
                                 Instant now) {
  TRY_ASSIGN(const std::uint32_t from, place(round, node));
  if (message.roster != roster_->digest)
    return fail(Code::kBadInput, "shares for another roster than this round's");
  const auto wanted = neighbours(from);
  const bool whole =
      std::equal(message.boxes.begin(), message.boxes.end(), wanted.begin(), wanted.end(),
                 [](const SignedBox& box, std::uint32_t to) { return box.peer == to; });
  if (!whole) return fail(Code::kBadInput, "shares that are not one for every neighbour");
  for (const SignedBox& box : message.boxes)
    if (!verify(key(from), kBoxDomain, signed_box({sid_, roster_->digest, from, box.peer}, box.box),
                box.signature))
      return not_signed("a box of shares");
  return said(round, node, round::Document::kShares, papers::of_boxes(message.boxes), now);
}

RoundBook::Heard RoundBook::take(const round::Round& round, NodeId node, const Complaint& message,
                                 Instant now) {
  TRY_ASSIGN(const std::uint32_t to, place(round, node));
  const std::uint32_t from = message.box.peer;
  if (from >= members_.size() || from == to)
    return fail(Code::kBadInput, "a complaint about nobody in the roster");
  if (!verify(key(to), kComplaintDomain, signed_complaint(sid_, message.box, message.evidence),
              message.signature))
    return not_signed("a complaint");
  const NodeId sender = roster_->members[from].certificate.id();
  campaign::Complained complained{node, node, round.plan.id, now};
  const bool is_senders =
      verify(key(from), kBoxDomain, signed_box({sid_, roster_->digest, from, to}, message.box.box),
             message.box.signature);
  if (!is_senders) return complained;  // forwarded boxes were checked: this one is made up
  const secagg::Direction direction{from, to, roster_->members[from].advert.cipher,
                                    roster_->members[to].advert.cipher};
  const secagg::Bound bound{sid_, document_.descriptor.supplied, roster_->digest};
  const secagg::SealedShare box{to, message.box.box};
  if (secagg::judge(bound, direction, box, message.evidence) == secagg::Verdict::kSenderLied)
    complained.liar = sender;
  return complained;
}

RoundBook::Heard RoundBook::take(const round::Round& round, NodeId node,
                                 const AgreeSurvivors& message, Instant now) {
  TRY_ASSIGN(const std::uint32_t signer, place(round, node));
  if (!verify(key(signer), kSurvivorsDomain, outcome(round), message.signature))
    return not_signed("the list of survivors");
  return said(round, node, round::Document::kAgreement, message.signature, now);
}

RoundBook::Heard RoundBook::take(const round::Round& round, NodeId node, const AgreeAbort& message,
                                 Instant now) {
  TRY_ASSIGN(const std::uint32_t signer, place(round, node));
  if (!verify(key(signer), kAbortDomain, signed_abort(sid_), message.signature))
    return not_signed("giving up the round");
  return said(round, node, round::Document::kAbort, message.signature, now);
}

RoundBook::Heard RoundBook::take(const round::Round& round, NodeId node, const Reveal& message,
                                 Instant now) {
  TRY_ASSIGN(const std::uint32_t from, place(round, node));
  TRY_ASSIGN(auto heard,
             said(round, node, round::Document::kReveal, papers::of_shares(message.shares), now));
  if (!std::holds_alternative<round::Unmasking>(round.phase) || !recovery_) return heard;
  TRY(recovery_->take(from, message.shares));
  if (!recovery_->enough()) return heard;
  auto rebuilt = recovery_->rebuild();
  if (!rebuilt && rebuilt.error().code == Code::kRefused)
    return campaign::Ruined{round.plan.id,
                            fmt::format("round {}: {}", round.plan.id.value, rebuilt.error().what),
                            liars(), now};
  std::get<campaign::Said>(heard).enough = rebuilt.has_value();
  return heard;
}

RoundBook::Heard RoundBook::take(const round::Round& round, NodeId node, const Decline&,
                                 Instant now) {
  return campaign::Left{node, round.plan.id, now};
}

Result<void> RoundBook::check_frame(const round::Round& round, NodeId node, ByteView frame,
                                    std::size_t entries) const {
  TRY_ASSIGN(const std::uint32_t from, place(round, node));
  const Descriptor& d = document_.descriptor;
  if (frame.size() != masked_frame_bytes(d, entries))
    return fail(Code::kBadInput, fmt::format("a masked vector of {} bytes, this round's have {}",
                                             frame.size(), masked_frame_bytes(d, entries)));
  Signature signature;
  std::copy_n(frame.begin(), signature.size(), signature.begin());
  const ByteView packed = frame.subspan(signature.size());
  const Bytes covered =
      signed_masked(sid_, index_list_digest(round::sharers(round)), digest_of(packed));
  if (!verify(key(from), kMaskedDomain, covered, signature)) return not_signed("a masked vector");
  return check_packed(packed, masked_word_count(d, entries), static_cast<int>(d.word_bits));
}

}  // namespace freshet
