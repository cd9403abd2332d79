// A simulated node in masked rounds: the node's own code for them, a record of spent bases that
// survives restarts, and the lies.

#include <algorithm>

#include "base/check.h"
#include "crypto/digest.h"
#include "simulations/node_process.h"
#include "simulations/toy_training.h"

namespace freshet::sim {
namespace {

constexpr std::size_t kSaidMax = 200;

std::size_t kind_of(Stop stop) {  // of the message before which it dies
  switch (stop) {
    case Stop::kAdvert: return NodeMessage(Advertise{}).index();
    case Stop::kShares: return NodeMessage(ShareBundle{}).index();
    case Stop::kVector: return NodeMessage(UploadChunk{}).index();
    case Stop::kAgreement: return NodeMessage(AgreeSurvivors{}).index();
    case Stop::kReveal: return NodeMessage(Reveal{}).index();
    case Stop::kNowhere: break;
  }
  return std::variant_npos;
}

}  // namespace

// ---- invitations

std::optional<Declined> NodeProcess::declines(const Descriptor& descriptor,
                                              const MaskedInvite& invite) const {
  const CampaignPlan& plan = world_.plan;
  const session::Base& base = stored_->contribution.base;
  if (descriptor.supplied != supplied_digest(plan.model, base.adapter, base.version))
    return Declined::kModel;
  if (descriptor.honest_min < plan.masking.honest_min ||
      !(descriptor.corrupt == plan.masking.corrupt))
    return Declined::kPolicy;
  const SpentBases::Asked asked{descriptor.base, base.adapter, descriptor.round,
                                sid_of(descriptor)};
  SpentBases::Notes notes{spent_, std::nullopt};
  if (const auto masked = masked_.find(base.adapter); masked != masked_.end())
    notes.masked = masked->second;
  if (!SpentBases::admit(notes, asked, invite.aborted)) return Declined::kSpent;
  return std::nullopt;
}

void NodeProcess::on(const MaskedInvite& invite) {
  const auto descriptor = read_descriptor(invite.descriptor);
  if (!descriptor || !verify(members_->coordinator().open.signing, kDescriptorDomain,
                             invite.descriptor, invite.signature))
    return violated("I6: a descriptor that the coordinator did not sign");
  const Digest sid = sid_of(*descriptor);
  const session::MaskedInvited invited{descriptor->campaign, descriptor->round, descriptor->base,
                                       sid, now()};
  seen_round_ = std::max(seen_round_, descriptor->round);
  if (!stored_ || stored_->contribution.base.version != descriptor->base) return feed(invited);
  if (round_ && round_->sid() == sid) {
    if (round_->over() != nullptr) say(Decline{sid, Declined::kFailed});
    return;
  }
  if (const auto why = declines(*descriptor, invite)) return say(Decline{sid, *why});
  admitted_ = Admitted{*descriptor, sid};
  feed(invited);
}

// ---- the round

MaskedRoundHooks NodeProcess::hooks(const Descriptor& descriptor) {
  MaskedRoundHooks hooks;
  const Digest sid = sid_of(descriptor);
  hooks.send = [this](const NodeMessage& message) -> Result<void> {
    if (dies_before(message)) return {};
    if (round_ != nullptr) watch(message, round_->exchange());
    say(message);
    return {};
  };
  hooks.record = [this](const SpentBase& spent) { return record(spent); };
  hooks.charge = [this, sid]() -> Result<void> {
    later_([=, index = index_](const Stage& stage) { stage.promises->charged(index, sid); });
    return {};
  };
  hooks.contribution = [this]() -> Result<QuantizedUpdate> {
    if (!stored_) return fail(Code::kCorrupt, "the contribution is gone");
    return *stored_->update;
  };
  hooks.trust = [this] { return members_->trust(); };
  hooks.fetch_trust = [this](const Digest&, std::uint64_t) {
    violated("I9: a roster with a revocation list that nobody has");
  };
  hooks.wall_s = [] { return kNowS; };
  hooks.made = [this, descriptor](ByteView frame, const QuantizedUpdate& unmasked) {
    const auto words = std::make_shared<const QuantizedUpdate>(unmasked);
    later_([=, blob = digest_of(frame), index = index_](const Stage& stage) {
      stage.promises->frame_made(index, descriptor, blob);
      stage.invariants.sealed(id_of(stage.world, index), descriptor.base, descriptor.round, words,
                              blob);
    });
  };
  return hooks;
}

// What leaves this node, as its promises are to see it.
void NodeProcess::watch(const NodeMessage& message, const exchange::Exchange& exchange) {
  later_(
      [=, index = index_](const Stage& stage) { stage.promises->sent(index, message, exchange); });
}

Result<void> NodeProcess::record(const SpentBase& spent) {
  later_([=, index = index_](const Stage& stage) { stage.promises->recorded(index, spent); });
  spent_ = spent;
  if (spent.left) masked_.insert_or_assign(spent.adapter, spent);
  return {};
}

void NodeProcess::act(const session::JoinExchange& effect) {
  if (!admitted_ || admitted_->sid != effect.sid)
    return feed(session::ExchangeEnded{effect.sid, false, now()});
  const Descriptor& d = admitted_->descriptor;
  const CampaignPlan& plan = world_.plan;
  const session::Base& base = effect.contribution.base;
  MaskedRoundPlan masked{d,
                         supplied_digest(plan.model, base.adapter, base.version),
                         base.adapter,
                         {plan.masking.honest_min, plan.masking.corrupt},
                         plan.masking.newcomers,
                         0,
                         members_->certificate(index_)};
  round_.reset();
  round_settled_ = round_published_ = false;
  auto joined = MaskedRound::join(members_->node(index_), std::move(masked), hooks(d),
                                  members_->make_keys(), now());
  CHECK(joined, "{}", joined.error().what);
  round_ = std::move(*joined);
  after_round_event();
}

void NodeProcess::act(const session::LeaveExchange& effect) {
  if (!round_ || round_->sid() != effect.sid) return;
  CHECK(round_->feed(exchange::RoundEnded{now()}, now()));
  after_round_event();
}

template <class Message>
void NodeProcess::to_round(const Message& message) {
  if constexpr (std::is_same_v<Message, Forward>) forwarded_ = message;
  if (!round_) return;
  CHECK(round_->take(message, now()));
  after_round_event();
}
template void NodeProcess::to_round(const RosterPage&);
template void NodeProcess::to_round(const Forward&);
template void NodeProcess::to_round(const freshet::Survivors&);
template void NodeProcess::to_round(const Quorum&);
template void NodeProcess::to_round(const AskAbort&);
template void NodeProcess::to_round(const ChunkAck&);

void NodeProcess::after_round_event() {
  if (dies_) return go_down(now() + traits_.stop_ms);
  if (round_->over() != nullptr)
    later_([exchange = round_->exchange(), keys = round_->has_keys()](const Stage& stage) {
      stage.promises->left(exchange, keys);
    });
  note(12, round_->exchange().phase.index());
  if (round_->over() == nullptr || round_settled_) return;
  round_settled_ = true;
  feed(session::ExchangeEnded{round_->sid(), round_published_, now()});
}

void NodeProcess::on(const AskAbort& ask) {
  if (round_ && round_->sid() == ask.sid) return to_round(ask);
  if (!spent_ || spent_->sid != ask.sid) return;
  exchange::Exchange ended = exchange::ended_by_restart(
      {ask.sid, kCampaign, spent_->round, spent_->version, {}, 0}, spent_->choice, now());
  auto abort = sign_recorded_abort(members_->node(index_), *spent_,
                                   [this](const SpentBase& spent) { return record(spent); });
  if (!abort) return;
  watch(*abort, ended);
  say(*abort);
}

void NodeProcess::check_receipt(const Receipt& receipt) {
  if (!round_ || receipt.round != round_->exchange().terms.round) return;
  if (receipt.published && round_->survivors() != nullptr) {
    const bool ours = receipt.masked && receipt.masked->sid == round_->sid() &&
                      receipt.masked->survivors == index_list_digest(*round_->survivors()) &&
                      verify(members_->coordinator().open.signing, kReceiptDomain,
                             signed_receipt(receipt), receipt.masked->signature);
    if (!ours) violated("I1: a receipt over other survivors than a node agreed to");
  }
  round_published_ = receipt.published;
  CHECK(round_->feed(exchange::RoundEnded{now()}, now()));
  after_round_event();
}

// ---- what leaves

bool NodeProcess::dies_before(const NodeMessage& message) {
  if (dies_) return true;
  if (calm_ || died_ || traits_.stop == Stop::kNowhere || message.index() != kind_of(traits_.stop))
    return false;
  return dies_ = died_ = true;
}

void NodeProcess::say(NodeMessage message) {
  if (lies(Lie::kReplaysRounds) && said_.size() < kSaidMax) said_.push_back(message);
  if (calm_ || traits_.lie == Lie::kNone) return send(std::move(message));
  say_falsely(std::move(message));
}

void NodeProcess::say_falsely(NodeMessage message) {
  const Identity& self = members_->node(index_);
  if (auto* reveal = std::get_if<Reveal>(&message); reveal != nullptr && lies(Lie::kWrongShare)) {
    reveal->shares[rng_.below(reveal->shares.size())].value[0] ^= 1;
  } else if (auto* bundle = std::get_if<ShareBundle>(&message);
             bundle != nullptr && lies(Lie::kBadBox)) {
    SignedBox& box = bundle->boxes[rng_.below(bundle->boxes.size())];
    box.box[rng_.below(box.box.size())] ^= 1;
    const auto* shared = std::get_if<exchange::Shared>(&round_->exchange().phase);
    const std::uint32_t own = shared != nullptr ? shared->roster.own : 0;
    box.signature =
        sign(self, kBoxDomain, signed_box({bundle->sid, bundle->roster, own, box.peer}, box.box));
  } else if (auto* chunk = std::get_if<UploadChunk>(&message)) {
    if (lies(Lie::kWrongDigest)) chunk->data[rng_.below(chunk->data.size())] ^= 1;
    if (lies(Lie::kSecondVector) && forwarded_ && chunk->size == chunk->data.size()) {
      UploadChunk second = *chunk;
      second.data[kFrameSignatureBytes] ^= 1;
      QuantizedUpdate other = *stored_->update;
      other.words[0] += second.data[kFrameSignatureBytes] & 1 ? 1u : ~0u;
      const ByteView packed = ByteView(second.data).subspan(kFrameSignatureBytes);
      const Signature signature =
          sign(self, kMaskedDomain,
               signed_masked(forwarded_->sid, index_list_digest(forwarded_->sharers),
                             digest_of(packed)));
      std::ranges::copy(signature, second.data.begin());
      second.blob = digest_of(second.data);
      later_([node = id_of(world_, index_), round = chunk->round, blob = second.blob,
              words = std::make_shared<const QuantizedUpdate>(std::move(other))](
                 const Stage& stage) { stage.invariants.counts_as(node, round, words, blob); });
      send(second);
    }
    if (lies(Lie::kFalseComplaint) && forwarded_ && !forwarded_->boxes.empty()) {
      Complaint complaint{forwarded_->sid, forwarded_->boxes.front(), {}, {}};
      complaint.signature =
          sign(self, kComplaintDomain,
               signed_complaint(complaint.sid, complaint.box, complaint.evidence));
      send(complaint);
    }
  }
  send(std::move(message));
}

}  // namespace freshet::sim
