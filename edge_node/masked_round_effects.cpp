// What the exchange decides, done with the round's keys. What is sent again is what was sent.

#include <fmt/format.h>

#include <algorithm>

#include "aggregation/pack.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "edge_node/masked_round.h"

namespace freshet {

Result<void> MaskedRound::act(const exchange::SendAdvert&, Instant) {
  if (!advertise_) {
    const secagg::Advert& advert = keys_->claim(sid(), identity_.open.signing);
    advertise_ = Advertise{sid(), plan_.certificate, advert,
                           sign(identity_, kAdvertDomain, signed_advert(sid(), advert))};
  }
  return hooks_.send(*advertise_);
}

// The record says from here on that this node was in the roster: after a crash it can still sign
// that the round was given up, and never anything else of it.
Result<void> MaskedRound::act(const exchange::SendShares&, Instant now) {
  if (shares_) return hooks_.send(*shares_);
  const exchange::Roster& roster = std::get<exchange::Shared>(exchange_.phase).roster;
  std::vector<secagg::Peer> peers;
  for (const std::uint32_t index : roster.neighbours)
    peers.push_back({index, roster_->members[index].advert});
  auto boxes = keys_->share({sid(), plan_.supplied, roster.digest}, own_, peers, roster.shares);
  if (!boxes) return refused(Declined::kRoster, boxes.error().what, now);
  const Descriptor& descriptor = plan_.descriptor;
  spent_ = {descriptor.campaign,
            descriptor.base,
            plan_.adapter,
            descriptor.round,
            sid(),
            roster.digest,
            roster.quorum,
            {},
            false,
            {}};
  for (const CheckedMember& member : roster_->members)
    spent_.members.push_back(member.certificate.keys.signing);
  if (auto recorded = hooks_.record(spent_); !recorded)
    return gave_up(recorded.error(), Declined::kFailed, now);
  ShareBundle bundle{sid(), roster.digest, {}};
  for (const secagg::SealedShare& box : *boxes)
    bundle.boxes.push_back(
        {box.to, box.box,
         sign(identity_, kBoxDomain, signed_box({sid(), roster.digest, own_, box.to}, box.box))});
  shares_ = std::move(bundle);
  return hooks_.send(*shares_);
}

Result<void> MaskedRound::act(const exchange::SendComplaint& effect, Instant) {
  const auto evidence = keys_->evidence_against(effect.from);
  const auto box = bad_.find(effect.from);
  if (!evidence || box == bad_.end()) return {};
  const Bytes covered = signed_complaint(sid(), box->second, *evidence);
  return hooks_.send(
      Complaint{sid(), box->second, *evidence, sign(identity_, kComplaintDomain, covered)});
}

Result<void> MaskedRound::record(bool left, exchange::Choice choice) {
  SpentBase next = spent_;
  next.left = left;
  next.choice = choice;
  if (next == spent_) return {};
  TRY(hooks_.record(next));
  spent_ = std::move(next);
  return {};
}

Result<void> MaskedRound::act(const exchange::SpendBase&, Instant now) {
  if (auto charged = hooks_.charge(); !charged)
    return gave_up(charged.error(), Declined::kBudget, now);
  if (auto recorded = record(true, spent_.choice); !recorded)
    return gave_up(recorded.error(), Declined::kFailed, now);
  return feed(exchange::BaseSpent{now}, now);
}

// Signature over the sid, H(U2) and the digest of the packed words, then the packed words.
Result<void> MaskedRound::act(const exchange::MakeFrame& effect, Instant now) {
  auto words = hooks_.contribution();
  if (!words) return gave_up(words.error(), Declined::kFailed, now);
  auto made = make_frame(*words, effect);
  wipe(words->words);
  if (!made) return gave_up(made.error(), Declined::kFailed, now);
  return feed(exchange::FrameMade{{digest_of(frame_), frame_.size()}, now}, now);
}

Result<void> MaskedRound::make_frame(const QuantizedUpdate& words,
                                     const exchange::MakeFrame& effect) {
  const int bits = static_cast<int>(plan_.descriptor.word_bits);
  TRY_ASSIGN(const MaskedUpdate masked, mask(QuantizedUpdate(words), bits, *keys_, effect.sharers));
  const Bytes packed = pack(masked.words, bits);
  const Bytes covered = signed_masked(sid(), index_list_digest(effect.sharers), digest_of(packed));
  const Signature signature = sign(identity_, kMaskedDomain, covered);
  frame_.assign(signature.begin(), signature.end());
  frame_.insert(frame_.end(), packed.begin(), packed.end());
  hooks_.made(frame_, words);
  return {};
}

Result<void> MaskedRound::act(const exchange::SendFrame& effect, Instant) {
  CHECK(effect.offset < frame_.size() && effect.frame.size == frame_.size(), "{} of {}",
        effect.offset, frame_.size());
  const std::size_t count =
      std::min<std::size_t>(limits::kChunkBytes, frame_.size() - effect.offset);
  const Descriptor& descriptor = plan_.descriptor;
  return hooks_.send(UploadChunk{descriptor.campaign, descriptor.round, effect.frame.blob,
                                 effect.frame.size, effect.offset,
                                 to_bytes(ByteView(frame_).subspan(effect.offset, count))});
}

Result<void> MaskedRound::act(const exchange::SignSurvivors& effect, Instant now) {
  if (auto recorded = record(true, exchange::Choice::kSurvivors); !recorded)
    return gave_up(recorded.error(), Declined::kFailed, now);
  agreed_ = effect.survivors;
  const Bytes covered = signed_survivors(outcome(effect.sharers, effect.survivors));
  return hooks_.send(AgreeSurvivors{sid(), sign(identity_, kSurvivorsDomain, covered)});
}

Result<void> MaskedRound::act(const exchange::SignAbort&, Instant) {
  if (spent_.sid != sid()) return {};  // no share left, so there is no roster to count it
  if (auto recorded = record(spent_.left, exchange::Choice::kAbort); !recorded) {
    log::error("round {} is not given up: {}", spent_.round.value, recorded.error().what);
    return {};  // asked again, it tries again
  }
  return hooks_.send(AgreeAbort{sid(), sign(identity_, kAbortDomain, signed_abort(sid()))});
}

Result<void> MaskedRound::act(const exchange::Reveal& effect, Instant now) {
  if (revealed_.empty()) {
    auto shares = keys_->reveal(effect.survivors, effect.sharers);
    if (!shares) return gave_up(shares.error(), Declined::kFailed, now);
    std::sort(shares->begin(), shares->end(),
              [](const auto& a, const auto& b) { return a.of < b.of; });  // as they travel
    keep_revealed(std::move(*shares));
  }
  NodeMessage message = Reveal{sid(), revealed_};
  std::vector<secagg::RevealedShare>& shares = std::get<Reveal>(message).shares;
  const ByteView values = revealed_values_.view();
  for (std::size_t i = 0; i < shares.size(); ++i)
    std::ranges::copy(values.subspan(32 * i, 32), shares[i].value.begin());
  auto sent = hooks_.send(message);
  for (secagg::RevealedShare& share : shares) wipe(share.value);
  return sent;
}

// Other nodes' shares: what this node showed the coordinator is nobody else's to find in its
// memory.
void MaskedRound::keep_revealed(std::vector<secagg::RevealedShare> shares) {
  revealed_values_ = Secret(32 * shares.size());
  for (std::size_t i = 0; i < shares.size(); ++i) {
    std::ranges::copy(shares[i].value,
                      revealed_values_.writable().begin() + static_cast<std::ptrdiff_t>(32 * i));
    wipe(shares[i].value);
  }
  revealed_ = std::move(shares);
}

Result<void> MaskedRound::act(const exchange::SendDecline& effect, Instant) {
  return hooks_.send(Decline{sid(), effect.why});
}

// Where shares were revealed they are kept, guarded, to be sent again until the round is over.
Result<void> MaskedRound::act(const exchange::WipeKeys&, Instant) {
  keys_.reset();
  if (over() != nullptr) {
    revealed_values_ = Secret();
    revealed_.clear();
  }
  frame_ = {};
  bad_.clear();
  return {};
}

Result<AgreeAbort> sign_recorded_abort(
    const Identity& identity, SpentBase last,
    const std::function<Result<void>(const SpentBase&)>& record) {
  if (last.choice == exchange::Choice::kSurvivors)
    return fail(Code::kRefused, fmt::format("this node signed the survivors of round {}: it does "
                                            "not sign as well that the round was given up",
                                            last.round.value));
  if (last.choice != exchange::Choice::kAbort) {
    last.choice = exchange::Choice::kAbort;
    TRY(record(last));
  }
  return AgreeAbort{last.sid, sign(identity, kAbortDomain, signed_abort(last.sid))};
}

}  // namespace freshet
