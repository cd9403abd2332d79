#include "simulations/masked/desk.h"

#include <algorithm>

#include "base/check.h"
#include "crypto/digest.h"

namespace freshet::sim {

RoundBookHooks MaskedDesk::hooks() {
  RoundBookHooks hooks;
  hooks.put = [this](ByteView bytes) -> Result<Digest> {
    const Digest digest = digest_of(bytes);
    documents_.emplace(digest, to_bytes(bytes));
    return digest;
  };
  hooks.get = [this](const Digest& digest) -> Result<Bytes> {
    const auto found = documents_.find(digest);
    if (found == documents_.end()) return fail(Code::kCorrupt, "a document is gone");
    return found->second;
  };
  hooks.trust = [this] { return world_.members->trust(); };
  hooks.wall_s = [] { return kNowS; };
  return hooks;
}

campaign::RoundOpened MaskedDesk::open(const campaign::Campaign& state, campaign::RoundOpened due) {
  const RoundFacts facts{state.id,
                         RoundId{state.last_round.value + 1},
                         state.version,
                         state.adapter,
                         {},
                         world_.entries,
                         world_.plan.clip,
                         world_.members->trust()->serial()};
  auto document = describe_round(world_.plan, facts);
  CHECK(document, "{}", document.error().what);
  due.sid = sid_of(document->descriptor);
  due.document = hooks().put(to_bytes(*document)).value();
  return due;
}

std::optional<campaign::Event> MaskedDesk::settle(const campaign::Campaign& state, Instant now) {
  const round::Round* open = campaign::open_round(state);
  if (open == nullptr) {
    if (book_) keep_only(campaign::wanted_documents(state));
    book_.reset();
    return std::nullopt;
  }
  if (!book_ || book_->sid() != open->plan.masked->sid) {
    auto book = RoundBook::open(*open, hooks());
    CHECK(book, "{}", book.error().what);
    book_.emplace(std::move(*book));
  }
  const auto settled = book_->settle(*open);
  if (settled) return std::nullopt;
  CHECK(settled.error().code != Code::kCorrupt, "{}", settled.error().what);
  return campaign::Ruined{open->plan.id, settled.error().what, book_->liars(), now};
}

MaskedDesk::Answer MaskedDesk::answer(const round::Round& round, RoundBook::Heard heard,
                                      Instant now) const {
  if (!heard) return {{}, Refused{heard.error().code, heard.error().what}};
  Answer answer{{std::move(*heard)}, std::nullopt};
  // A lie that unmasking worked around is told on its own.
  const auto* said = std::get_if<campaign::Said>(&answer.events.front());
  if (said != nullptr && said->kind == round::Document::kReveal)
    for (const NodeId liar : book_->liars())
      answer.events.push_back(campaign::Complained{liar, liar, round.plan.id, now});
  return answer;
}

Result<void> MaskedDesk::check_frame(const From& from, ByteView frame) const {
  return book_->check_frame(*campaign::open_round(from.state), id_of(world_, from.node), frame,
                            world_.entries);
}

MaskedInvite MaskedDesk::invitation(const campaign::Campaign& state, const round::Round& round,
                                    NodeId node, Instant now) {
  MaskedInvite invite;
  invite.campaign = state.id;
  invite.descriptor = canonical_bytes(book_->descriptor());
  invite.signature = sign(world_.members->coordinator(), kDescriptorDomain, invite.descriptor);
  invite.remaining_ms = std::max<std::int64_t>(round.deadline - now, 0);
  for (const round::Round& given_up : state.given_up) {
    if (!round::place_of(given_up, node)) continue;
    auto certificate = abort_certificate(given_up, hooks().get);
    CHECK(certificate, "{}", certificate.error().what);
    invite.aborted.push_back(std::move(*certificate));
  }
  return invite;
}

RoundBook::Owed MaskedDesk::owed(const campaign::Campaign& state, NodeId node, Instant now) {
  const round::Round* round = campaign::open_round(state);
  if (!book_ || round == nullptr) return {};
  if (std::holds_alternative<round::Advertising>(round->phase)) {
    const round::Member* member = round::find(*round, node);
    if (member == nullptr || member->document(round::Document::kAdvert)) return {};
    return {std::make_shared<const CoordinatorMessage>(invitation(state, *round, node, now))};
  }
  auto messages = book_->owed(*round, node, world_.members->bundle());
  CHECK(messages, "{}", messages.error().what);
  return std::move(*messages);
}

Result<QuantizedSum> MaskedDesk::sum(const round::Round& round,
                                     const std::map<Digest, Bytes>& uploads) const {
  if (!book_ || book_->recovery() == nullptr) return fail(Code::kUnavailable, "no masks to remove");
  const Descriptor& d = book_->descriptor();
  MaskedSum sum;
  for (const round::Survivor& survivor : round::survivors(round)) {
    const auto frame = uploads.find(survivor.upload);
    if (frame == uploads.end()) return fail(Code::kCorrupt, "an accepted upload is gone");
    TRY(add_packed(sum, ByteView(frame->second).subspan(kFrameSignatureBytes),
                   masked_word_count(d, world_.entries), static_cast<int>(d.word_bits)));
  }
  return unmask(std::move(sum), *book_->recovery());
}

Receipt MaskedDesk::receipt(const campaign::SendReceipt& effect, CampaignId campaign) const {
  Receipt receipt{campaign, effect.round, effect.published, effect.version, effect.survivors, {}};
  if (!effect.masked) return receipt;
  receipt.masked = MaskedReceipt{effect.masked->sid,
                                 index_list_digest(effect.masked->survivors),
                                 static_cast<std::uint32_t>(effect.masked->survivors.size()),
                                 effect.masked->sum,
                                 0,
                                 {}};
  receipt.masked->signature =
      sign(world_.members->coordinator(), kReceiptDomain, signed_receipt(receipt));
  return receipt;
}

void MaskedDesk::keep_only(const std::vector<Digest>& wanted) {
  std::map<Digest, Bytes> kept;
  for (const Digest& digest : wanted)
    if (const auto at = documents_.find(digest); at != documents_.end())
      kept.emplace(digest, std::move(at->second));
  documents_ = std::move(kept);
}

}  // namespace freshet::sim
