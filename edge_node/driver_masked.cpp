// A node in masked rounds: what it admits, and what its round reads and writes.

#include <fmt/format.h>

#include "base/limits.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "edge_node/driver.h"
#include "edge_node/masked_words.h"

namespace freshet {

// ---- whether to take part

std::string Node::how_to_join() const {
  return "join with: freshet node join TOKEN --dir " + options_.folder.string();
}

Loaded Node::loaded() const {
  const session::Base& base = stored_->base;
  if (campaign_->plan.logits.on)
    return {campaign_->id,
            campaign_->plan,
            tokenizer_,
            base.adapter,
            base.version,
            digest_of("freshet/layout/v1", canonical_bytes(campaign_->layout)),
            campaign_->layout.size};
  const Factors factors = factors_of(campaign_->plan.method, base.version.value);
  const Layout phase = phase_layout(campaign_->layout, factors.a, factors.b, factors.core);
  return {campaign_->id, campaign_->plan, model_,
          base.adapter,  base.version,    digest_of("freshet/layout/v1", canonical_bytes(phase)),
          phase.size};
}

Result<Charge> Node::charge_for(const Descriptor& descriptor, std::size_t entries) {
  TRY_ASSIGN(const Noise noise,
             noise_of(descriptor.noise, descriptor.clip, descriptor.grid, entries));
  Charge charge = charge_of(descriptor.noise, noise, entries);
  charge.sid = sid_of(descriptor);
  charge.campaign = descriptor.campaign;
  charge.round = descriptor.round;
  return charge;
}

std::optional<Refusal> Node::refusal(const Descriptor& descriptor,
                                     const MaskedInvite& invite) const {
  if (restraint_.held().hold == Hold::kOffline)
    return Refusal{Declined::kPolicy, restraint_.held().why};
  if (!member_) return Refusal{Declined::kFailed, "this node has no certificate: " + how_to_join()};
  if (auto refusal = refusal_of(options_.policy, descriptor, loaded())) return refusal;
  if (descriptor.trust < member_->trust().trust()->serial())
    return Refusal{Declined::kTrust,
                   fmt::format("the coordinator goes by revocation list {}, this node knows {}",
                               descriptor.trust.list, member_->trust().revocations())};
  const SpentBases::Asked asked{descriptor.base, stored_->base.adapter, descriptor.round,
                                sid_of(descriptor)};
  if (auto admitted = spent_.admit(descriptor.campaign, asked, invite.aborted); !admitted)
    return Refusal{admitted.error().code == Code::kRefused ? Declined::kSpent : Declined::kFailed,
                   admitted.error().what};
  if (!descriptor.noise.on()) return std::nullopt;
  const auto charge = charge_for(descriptor, loaded().entries);
  if (!charge) return Refusal{Declined::kPolicy, charge.error().what};
  const auto admitted = ledger_.ledger().admit(*charge);
  if (!admitted) return Refusal{Declined::kBudget, admitted.error().what};
  return std::nullopt;
}

Result<void> Node::decline(const Descriptor& descriptor, const Refusal& refusal, Instant now) {
  problem_ = fmt::format("refused round {}: {}", descriptor.round.value, refusal.why);
  const Digest sid = sid_of(descriptor);
  if (declined_ != sid) log::warning("{}", problem_);
  declined_ = sid;
  return link_->send(Decline{sid, refusal.declined}, now);
}

Result<void> Node::on(const MaskedInvite& invite, Instant now) {
  if (!campaign_ || campaign_->id != invite.campaign) return {};
  auto descriptor = read_descriptor(invite.descriptor);
  const bool is_signed =
      verify(coordinator_.signing, kDescriptorDomain, invite.descriptor, invite.signature);
  if (!descriptor || !is_signed) {
    problem_ = fmt::format("refused an invitation: {}",
                           is_signed ? descriptor.error().what : "the coordinator did not sign it");
    log::warning("{}", problem_);
    return {};
  }
  const Digest sid = sid_of(*descriptor);
  const session::MaskedInvited invited{descriptor->campaign, descriptor->round, descriptor->base,
                                       sid, now};
  if (!stored_ || stored_->base.campaign != invite.campaign ||
      stored_->base.version != descriptor->base)
    return feed(invited, now);  // says where this node is
  if (round_ && round_->sid() == sid)
    return round_->over() == nullptr ? Result<void>()
                                     : link_->send(Decline{sid, Declined::kFailed}, now);
  if (auto refusal = this->refusal(*descriptor, invite)) return decline(*descriptor, *refusal, now);
  admitted_ =
      Admitted{sid, *descriptor,
               supplied_digest(loaded().model, stored_->base.adapter, stored_->base.version)};
  return feed(invited, now);
}

// ---- the round

MaskedRoundHooks Node::hooks_for(const Admitted& admitted,
                                 const session::Contribution& contribution) {
  const Descriptor descriptor = admitted.descriptor;
  const std::size_t entries = loaded().entries;
  MaskedRoundHooks hooks;
  hooks.send = [this](const NodeMessage& message) { return link_->send(message, clock_.now()); };
  hooks.record = [this](const SpentBase& spent) { return spent_.put(spent); };
  hooks.charge = [this, descriptor, entries]() -> Result<void> {
    if (!descriptor.noise.on()) return {};
    TRY_ASSIGN(const Charge charge, charge_for(descriptor, entries));
    TRY_ASSIGN(const Spent spent, ledger_.charge(charge));
    epsilon_spent_ = spent.epsilon_unamplified;
    log::info("round {}: this node has spent epsilon {:.3f} over its life", descriptor.round.value,
              spent.epsilon_unamplified);
    return {};
  };
  hooks.contribution = [this, descriptor, contribution]() -> Result<QuantizedUpdate> {
    TRY_ASSIGN(ClippedUpdate update, contributions_.get(contribution));
    const bool has_totals = evaluated_ && evaluated_->version == descriptor.base;
    auto words = masked_words(update, descriptor, keys_.storage,
                              has_totals ? evaluated_->totals : EvaluationTotals{});
    wipe(update.values);
    return words;
  };
  hooks.trust = [this] { return member_->trust().trust(); };
  hooks.fetch_trust = [this](const Digest& blob, std::uint64_t size) {
    if (size > limits::kBundleBytesMax) return;
    trust_wanted_ = blob;
    if (auto sent = link_->send(Fetch{blob, 0}, clock_.now()); !sent)
      log::error("{}", sent.error().what);
  };
  hooks.wall_s = [] { return wall_clock_s(); };
  hooks.made = [this, descriptor, name = campaign_->plan.name](ByteView frame,
                                                               const QuantizedUpdate& unmasked) {
    const PayloadFacts facts{name,
                             descriptor.campaign,
                             descriptor.round,
                             descriptor.base,
                             sid_of(descriptor),
                             static_cast<int>(descriptor.word_bits),
                             unmasked.words.size(),
                             wall_clock_s()};
    keep_payload(facts, frame, unmasked);
  };
  return hooks;
}

void Node::keep_payload(const PayloadFacts& facts, ByteView frame,
                        const QuantizedUpdate& unmasked) {
  const Path folder = options_.folder / "payload";
  auto kept = save_payload(folder, facts, frame);
  if (kept)
    kept = options_.keep_unmasked ? save_unmasked(folder, facts, keys_.storage, unmasked.words)
                                  : forget_unmasked(folder);
  if (!kept) log::warning("what left is not kept for `privacy payload`: {}", kept.error().what);
}

Result<void> Node::act(const session::JoinExchange& effect, Instant now) {
  if (!admitted_ || admitted_->sid != effect.sid)
    return feed(session::ExchangeEnded{effect.sid, false, now}, now);
  const Descriptor& descriptor = admitted_->descriptor;
  MaskedRoundPlan plan{descriptor,
                       admitted_->supplied,
                       effect.contribution.base.adapter,
                       rules_of(options_.policy, descriptor),
                       options_.policy.newcomers,
                       std::int64_t{options_.policy.newcomer_days} * 24 * 3600,
                       to_bytes(member_->certificate_bytes()),
                       loaded().plan.round_ms};
  round_.reset();
  round_settled_ = round_published_ = false;
  TRY_ASSIGN(round_, MaskedRound::join(keys_.identity, std::move(plan),
                                       hooks_for(*admitted_, effect.contribution),
                                       secagg::RoundKeys::make(), now));
  return after_round_event(now);
}

Result<void> Node::act(const session::LeaveExchange& effect, Instant now) {
  if (!round_ || round_->sid() != effect.sid) return {};
  TRY(round_->feed(exchange::RoundEnded{now}, now));
  return after_round_event(now);
}

Result<void> Node::after_round_event(Instant now) {
  if (options_.watch_round) options_.watch_round(round_->exchange().phase);
  const exchange::Over* over = round_->over();
  if (over == nullptr || round_settled_) return {};
  round_settled_ = heap_used_ = true;
  const std::uint64_t number = round_->exchange().terms.round.value;
  if (over->ending == exchange::Ending::kFinished) {
    log::info("round {} is over", number);
  } else {
    const std::string why = over->why.empty() ? "the coordinator gave it up" : over->why;
    const bool ours = over->ending == exchange::Ending::kRefused;
    problem_ = fmt::format("{} round {}: {}", ours ? "refused" : "left", number, why);
    log::warning("{}", problem_);
  }
  return feed(session::ExchangeEnded{round_->sid(), round_published_, now}, now);
}

template <class Message>
Result<void> Node::to_round(const Message& message, Instant now) {
  if (!round_) return {};
  TRY(round_->take(message, now));
  return after_round_event(now);
}

Result<void> Node::on(const RosterPage& page, Instant now) { return to_round(page, now); }
Result<void> Node::on(const Forward& forward, Instant now) { return to_round(forward, now); }
Result<void> Node::on(const Survivors& survivors, Instant now) { return to_round(survivors, now); }
Result<void> Node::on(const Quorum& quorum, Instant now) { return to_round(quorum, now); }

Result<void> Node::on(const AskAbort& ask, Instant now) {
  if (round_ && round_->sid() == ask.sid) return to_round(ask, now);
  if (!campaign_) return {};
  TRY_ASSIGN(std::optional<SpentBase> last, spent_.find(campaign_->id));
  if (!last || last->sid != ask.sid) return {};
  auto abort = sign_recorded_abort(keys_.identity, std::move(*last),
                                   [this](const SpentBase& spent) { return spent_.put(spent); });
  if (abort) return link_->send(*abort, now);
  if (abort.error().code != Code::kRefused) return tl::unexpected(abort.error());
  return {};
}

// ---- what comes beside

// The coordinator hands on the bundle that its roster is checked with.
Result<void> Node::trust_chunk(const Chunk& chunk, Instant now) {
  trust_wanted_.reset();
  if (!member_ || chunk.offset != 0 || chunk.data.size() != chunk.size ||
      digest_of(chunk.data) != chunk.blob)
    return {};
  auto renewed = member_->trust().take(chunk.data);
  if (!renewed) {
    problem_ = "the coordinator's trust bundle: " + renewed.error().what;
    log::warning("{}", problem_);
    return {};
  }
  if (!*renewed || !round_) return {};
  TRY(round_->trust_arrived(now));
  return after_round_event(now);
}

// The same coordinator under new keys, which its device rotated to: what was under way goes on.
Result<void> Node::switch_to(const PublicIdentity& coordinator, Instant now) {
  if (options_.coordinator_id)
    return fail(Code::kRefused,
                "the coordinator has new keys, and --coordinator-id names the old ones: leave the "
                "flag out, and start again");
  log::info("the coordinator has rotated its keys; going on with the new ones");
  save_memory(now);
  since_.bytes_up = memory_.bytes_up, since_.bytes_down = memory_.bytes_down;
  link_up_ = link_down_ = 0;
  TRY(connect(coordinator));
  TRY(feed(session::Connected{now}, now));
  return round_ ? round_->feed(exchange::Reconnected{now}, now) : Result<void>();
}

// The authority may have one before the coordinator does.
Result<void> Node::look_after_trust(Instant now) {
  if (!member_) return {};
  member_->tick(now);
  if (member_->changes() == trust_changes_) return {};
  trust_changes_ = member_->changes();
  TRY_ASSIGN(const PublicIdentity coordinator,
             member_->follow_coordinator(coordinator_, wall_clock_s()));
  if (coordinator != coordinator_) TRY(switch_to(coordinator, now));
  if (!round_) return {};
  TRY(round_->trust_arrived(now));
  return after_round_event(now);
}

// The coordinator signs what it opened: this node checks that it was the sum it agreed to.
Result<void> Node::masked_receipt(const Receipt& receipt, Instant now) {
  if (!round_ || !campaign_ || receipt.campaign != campaign_->id ||
      receipt.round != round_->exchange().terms.round)
    return {};
  if (receipt.published && round_->survivors() != nullptr) {
    const bool ours = receipt.masked && receipt.masked->sid == round_->sid() &&
                      receipt.masked->survivors == index_list_digest(*round_->survivors()) &&
                      receipt.masked->count == round_->survivors()->size() &&
                      verify(coordinator_.signing, kReceiptDomain, signed_receipt(receipt),
                             receipt.masked->signature);
    if (!ours) {
      problem_ = fmt::format(
          "the receipt of round {} is not over the survivors that this node "
          "signed: ask the coordinator's operator",
          receipt.round.value);
      log::error("{}", problem_);
    }
  }
  round_published_ = receipt.published;
  TRY(round_->feed(exchange::RoundEnded{now}, now));
  return after_round_event(now);
}

}  // namespace freshet
