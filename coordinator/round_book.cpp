#include "coordinator/round_book.h"

#include <fmt/core.h>

#include <algorithm>

#include "aggregation/pack.h"
#include "base/check.h"
#include "base/limits.h"
#include "coordinator/round_papers.h"
#include "crypto/digest.h"

namespace freshet {
namespace {

template <class T>
bool in(const round::Round& round) {
  return std::holds_alternative<T>(round.phase);
}

template <class Message>
std::shared_ptr<const CoordinatorMessage> share(Message message) {
  return std::make_shared<const CoordinatorMessage>(std::move(message));
}

}  // namespace

RoundBook::RoundBook(RoundDocument document, RoundBookHooks hooks)
    : document_(std::move(document)),
      hooks_(std::move(hooks)),
      sid_(sid_of(document_.descriptor)) {}

Result<RoundBook> RoundBook::open(const round::Round& round, RoundBookHooks hooks) {
  CHECK(round.plan.masked.has_value(), "round {} is not masked", round.plan.id.value);
  TRY_ASSIGN(const Bytes bytes, hooks.get(round.plan.masked->document));
  TRY_ASSIGN(RoundDocument document, round_document_from(bytes));
  RoundBook book(std::move(document), std::move(hooks));
  if (book.sid_ != round.plan.masked->sid)
    return fail(Code::kCorrupt,
                fmt::format("round {}: its descriptor is another one's", round.plan.id.value));
  return book;
}

// ---- what closed phases make known

Result<void> RoundBook::settle(const round::Round& round) {
  const bool has_roster = !in<round::Advertising>(round) && !in<round::Aborted>(round);
  if (has_roster && !roster_) TRY(close_roster(round));
  if (!in<round::Collecting>(round)) boxes_.clear();
  if ((in<round::Unmasking>(round) || in<round::Finished>(round)) && !recovery_)
    TRY(start_recovery(round));
  return {};
}

Result<void> RoundBook::close_roster(const round::Round& round) {
  std::vector<RosterMember> members;
  for (const round::Member* member : round::roster(round)) {
    TRY_ASSIGN(const Bytes bytes, hooks_.get(*member->document(round::Document::kAdvert)));
    TRY_ASSIGN(RosterMember each, papers::advert_from(bytes));
    members.push_back(std::move(each));
  }
  if (in<round::Sharing>(round)) {  // every node will check the same; later it has been
    const std::shared_ptr<const Trust> trust = hooks_.trust();
    const RosterRules rules{.trust = *trust, .now_s = hooks_.wall_s(), .members_min = 1};
    TRY_ASSIGN(roster_, check_roster(document_.descriptor, document_.opening, members, rules));
  } else {
    TRY_ASSIGN(roster_, read_roster(document_.descriptor, document_.opening, members));
  }
  members_ = std::move(members);
  adverts_.clear();
  distinct_ = Distinct();
  const auto n = static_cast<std::uint32_t>(members_.size());
  TRY_ASSIGN(graph_plan_, graph_of(document_.descriptor, n));
  graph_.emplace(roster_->graph_seed, n, graph_plan_.degree);
  return {};
}

Result<void> RoundBook::gather_boxes(const round::Round& round) {
  if (!boxes_.empty()) return {};
  std::vector<std::vector<SignedBox>> boxes(members_.size());
  const std::vector<const round::Member*> roster = round::roster(round);
  for (const std::uint32_t from : round::sharers(round)) {
    TRY_ASSIGN(const Bytes bytes, hooks_.get(*roster[from]->document(round::Document::kShares)));
    TRY_ASSIGN(std::vector<SignedBox> bundle, papers::boxes_from(bytes));
    for (SignedBox& box : bundle) {
      const std::uint32_t to = std::exchange(box.peer, from);
      if (to < boxes.size()) boxes[to].push_back(box);
    }
  }
  boxes_ = std::move(boxes);
  return {};
}

Result<void> RoundBook::start_recovery(const round::Round& round) {
  secagg::Unmasking unmasking;
  unmasking.bound = {sid_, document_.descriptor.supplied, roster_->digest};
  for (const CheckedMember& member : roster_->members) unmasking.roster.push_back(member.advert);
  unmasking.sharers = round::sharers(round);
  unmasking.survivors = round::survivor_places(round);
  unmasking.threshold = graph_plan_.threshold;
  unmasking.neighbours = [graph = *graph_](std::uint32_t place) { return graph.neighbours(place); };
  std::vector<std::optional<Digest>> bundles;
  for (const round::Member* member : round::roster(round))
    bundles.push_back(member->document(round::Document::kShares));
  unmasking.box = [bundles, get = hooks_.get](
                      std::uint32_t from, std::uint32_t to) -> std::optional<secagg::SealedShare> {
    if (from >= bundles.size() || !bundles[from]) return std::nullopt;
    const auto bytes = get(*bundles[from]);
    return bytes ? papers::box_for(*bytes, to) : std::nullopt;
  };
  TRY_ASSIGN(recovery_, secagg::Recovery::start(std::move(unmasking)));
  for (const round::Member* member : round::roster(round)) {
    const auto& document = member->document(round::Document::kReveal);
    if (!document) continue;
    TRY_ASSIGN(const Bytes bytes, hooks_.get(*document));
    TRY_ASSIGN(const auto shares, papers::shares_from(bytes));
    TRY(recovery_->take(*round::place_of(round, member->node), shares));
  }
  return in<round::Finished>(round) ? recovery_->rebuild() : Result<void>();
}

std::vector<NodeId> RoundBook::liars() const {
  std::vector<NodeId> nodes;
  if (recovery_)
    for (const std::uint32_t place : recovery_->liars())
      nodes.push_back(roster_->members[place].certificate.id());
  return nodes;
}

// ---- what the phases owe

Bytes RoundBook::outcome(const round::Round& round) const {
  return signed_survivors({sid_, roster_->digest, index_list_digest(round::sharers(round)),
                           index_list_digest(round::survivor_places(round))});
}

// As many as it takes: more would be read and checked for nothing. The same for every member.
Result<void> RoundBook::gather_quorum(const round::Round& round) {
  if (quorum_) return {};
  std::vector<IndexedSignature> list;
  const std::size_t enough = round::quorum(round);
  std::uint32_t place = 0;
  for (const round::Member* member : round::roster(round)) {
    if (list.size() == enough) break;
    if (const auto& document = member->document(round::Document::kAgreement)) {
      TRY_ASSIGN(const Bytes bytes, hooks_.get(*document));
      TRY_ASSIGN(const Signature signature, papers::signature_from(bytes));
      list.push_back({place, signature});
    }
    ++place;
  }
  quorum_ = share(Quorum{sid_, std::move(list)});
  return {};
}

const RoundBook::Owed& RoundBook::roster_pages(ByteView trust_bundle) {
  const Digest trust = digest_of(trust_bundle);
  if (!pages_.empty() && trust_of_pages_ == trust) return pages_;
  pages_.clear();
  trust_of_pages_ = trust;
  const auto total = static_cast<std::uint32_t>(members_.size());
  for (std::uint32_t first = 0; first < total; first += limits::kRosterPageMembers) {
    const auto end = std::min<std::size_t>(first + limits::kRosterPageMembers, total);
    pages_.push_back(share(RosterPage{
        sid_,
        document_.opening,
        trust,
        trust_bundle.size(),
        first,
        total,
        {members_.begin() + first, members_.begin() + static_cast<std::ptrdiff_t>(end)}}));
  }
  return pages_;
}

Result<RoundBook::Owed> RoundBook::owed(const round::Round& round, NodeId node,
                                        ByteView trust_bundle) {
  const round::Member* member = round::find(round, node);
  if (member == nullptr || !roster_) return Owed{};
  const auto said = [&](round::Document kind) { return member->document(kind).has_value(); };
  if (in<round::Sharing>(round) && said(round::Document::kAdvert))
    return roster_pages(trust_bundle);
  if (in<round::Collecting>(round) && said(round::Document::kShares) && !member->upload) {
    TRY(gather_boxes(round));
    return Owed{
        share(Forward{sid_, round::sharers(round), boxes_[*round::place_of(round, node)]})};
  }
  if (in<round::Agreeing>(round) && member->upload)
    return Owed{share(Survivors{sid_, round::survivor_places(round)})};
  if (in<round::Unmasking>(round) && member->upload && !said(round::Document::kReveal)) {
    TRY(gather_quorum(round));
    Owed messages;
    if (!said(round::Document::kAgreement))  // it signs what the others signed, then sees that
      messages.push_back(share(Survivors{sid_, round::survivor_places(round)}));
    messages.push_back(quorum_);
    return messages;
  }
  if (const auto* aborting = std::get_if<round::Aborting>(&round.phase);
      aborting != nullptr && said(round::Document::kAdvert) && !said(round::Document::kAbort) &&
      !said(round::Document::kAgreement))
    return Owed{share(AskAbort{sid_, aborting->why})};
  return Owed{};
}

Result<AbortCertificate> abort_certificate(const round::Round& given_up,
                                           const std::function<Result<Bytes>(const Digest&)>& get) {
  AbortCertificate certificate{given_up.plan.masked->sid, {}};
  const std::size_t enough = round::quorum(given_up);  // more would only fill the frame
  std::uint32_t place = 0;
  for (const round::Member* member : round::roster(given_up)) {
    if (certificate.signatures.size() == enough) break;
    if (const auto& document = member->document(round::Document::kAbort)) {
      TRY_ASSIGN(const Bytes bytes, get(*document));
      TRY_ASSIGN(const Signature signature, papers::signature_from(bytes));
      certificate.signatures.push_back({place, signature});
    }
    ++place;
  }
  return certificate;
}

}  // namespace freshet
