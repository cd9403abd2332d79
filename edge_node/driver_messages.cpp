// What the coordinator says to a node.

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "edge_node/driver.h"
#include "model/question.h"

namespace freshet {
namespace {

constexpr std::size_t kAdaptersHeld = 3;  // the base of what is under way is among them
constexpr std::uint64_t kFetchAhead = 4;  // chunks asked for and not yet here

Layout phase_of(const CampaignPlan& plan, const Layout& whole, VersionId version) {
  if (plan.logits.on) return whole;
  const Factors factors = factors_of(plan.method, version.value);
  return phase_layout(whole, factors.a, factors.b, factors.core);
}

}  // namespace

Result<void> Node::take_messages(Instant now) {
  for (int taken = 0; taken < limits::kFramesPerTurn; ++taken) {
    TRY_ASSIGN(std::optional<CoordinatorMessage> message, link_->receive());
    if (!message) break;
    heard_ = true;
    heard_at_ = now;
    TRY(std::visit(
        [&](const auto& each) -> Result<void> {
          if constexpr (requires { this->on(each, now); }) return on(each, now);
          return {};
        },
        *message));
  }
  return {};
}

// What this node is asked to do, measured against what it holds. A campaign that does not fit is
// refused once and for all.
Result<Layout> Node::check(const Announce& announce) const {
  const CampaignPlan& plan = announce.plan;
  TRY(validate(plan));
  if (const auto refusal = refusal_of(options_.policy, plan))
    return fail(Code::kRefused, refusal->why);
  if (plan.mode == Mode::kMasked && !member_)
    return fail(Code::kRefused, "a masked round takes a certificate: " + how_to_join());
  if (plan.logits.on) return check_question_of(announce);
  if (plan.model != model_)
    return fail(Code::kBadInput,
                fmt::format("it trains model {}, this node holds {} ({}): start the node with "
                            "--model of the same model",
                            short_hex(plan.model), short_hex(model_), options_.model.string()));
  TRY_ASSIGN(Layout whole,
             adapter_layout(config_, {plan.lora.rank, plan.lora.alpha, plan.lora.targets}));
  const Layout phase = phase_of(plan, whole, announce.version);
  if (announce.layout != digest_of("freshet/layout/v1", canonical_bytes(phase)) ||
      announce.adapter_bytes != whole.size * sizeof(float))
    return fail(Code::kBadInput,
                "its layout is not what its plan and this model give: install the same version of "
                "Freshet on both sides");
  return whole;
}

// In a campaign of logits the model is this node's own business; its tokenizer is not.
Result<Layout> Node::check_question_of(const Announce& announce) const {
  const CampaignPlan& plan = announce.plan;
  if (tokenizer_ == Digest{} || plan.model != tokenizer_)
    return fail(Code::kBadInput,
                fmt::format("it asks in tokens of tokenizer {}, this node's model has {} ({}): "
                            "start the node with --model of a model with the same tokenizer.json",
                            short_hex(plan.model), short_hex(tokenizer_), options_.model.string()));
  Layout whole = answer_layout(plan.logits.rows, plan.logits.candidates);
  const bool is_first = announce.version.value == 0;
  if (announce.layout != digest_of("freshet/layout/v1", canonical_bytes(whole)) ||
      (is_first && announce.adapter != plan.logits.question))
    return fail(Code::kBadInput,
                "its question or its layout is not the one that its plan names: an honest "
                "coordinator does not do that");
  return whole;
}

Result<void> Node::on(const Announce& announce, Instant now) {
  const bool same = campaign_ && campaign_->id == announce.campaign;
  if (ending_ && !same) return {};  // the report comes first; the coordinator announces again
  if (refused_.contains(announce.campaign) || restraint_.held().hold == Hold::kOffline) return {};
  auto layout = check(announce);
  if (layout && same && !(campaign_->plan == announce.plan))
    layout = fail(Code::kBadInput,
                  "its plan changed on the way; an honest coordinator does not do that");
  if (!layout) {
    refused_.insert(announce.campaign);
    problem_ = fmt::format("refused campaign \"{}\": {}", announce.plan.name, layout.error().what);
    log::error("{}", problem_);
    return {};
  }
  const bool is_last = announce.version.value >= announce.plan.rounds;
  if (!same) {
    auto remembered = records_.load();
    const bool mine = remembered && *remembered && (*remembered)->campaign == announce.campaign;
    if (is_last && (!mine || (*remembered)->reported))
      return {};  // over before this node came, or done with
    TRY(adopt(announce, now));
  }
  if (!is_last)
    return feed(
        session::Announced{
            {announce.campaign, announce.version, announce.adapter, announce.adapter_bytes}, now},
        now);
  if (ending_ || memory_.reported) return {};
  if (announce.plan.logits.on) return begin_ending(announce.version, {}, true);
  last_ = Download{announce.adapter, announce.adapter_bytes};
  return fetch(announce.adapter, announce.adapter_bytes, now);
}

Result<void> Node::adopt(const Announce& announce, Instant now) {
  TRY_ASSIGN(Layout layout, check(announce));
  campaign_ = Campaign{announce.campaign, announce.plan, std::move(layout)};
  auto remembered = records_.load();
  if (!remembered) log::warning("{}; begun anew", remembered.error().what);
  memory_ = {};
  if (remembered && *remembered && (*remembered)->campaign == announce.campaign)
    memory_ = **remembered;
  memory_.campaign = announce.campaign;
  memory_.name = announce.plan.name;
  memory_.rounds = announce.plan.rounds;
  since_ = memory_;
  const bool first = adopted_at_ == Instant{};
  adopted_at_ = first ? started_at_ : now;
  link_up_ = first ? 0 : link_->bytes_up();
  link_down_ = first ? 0 : link_->bytes_down();
  last_.reset();
  for (const auto& [id, purpose] : jobs_) learner_.cancel(id, now);
  jobs_.clear();
  problem_.clear();
  reported_ = false;
  learner_.open(announce.plan.training.window);
  log::info("campaign \"{}\": {} rounds of {}, mode {}", announce.plan.name, announce.plan.rounds,
            name_of(announce.plan.method), name_of(announce.plan.mode));
  return {};
}

Result<void> Node::on(const Invite& invite, Instant now) {
  if (invite.seal_to != coordinator_.sealing) {
    problem_ =
        "the coordinator asks to seal to a key that is not the pinned one: refused; check "
        "--coordinator-id";
    log::error("{}", problem_);
    return {};
  }
  if (!campaign_ || campaign_->id != invite.campaign || restraint_.held().hold == Hold::kOffline)
    return {};
  if (campaign_->plan.mode != Mode::kTrustedCoordinator) {
    problem_ =
        "the coordinator asks for an update that it could open, in a masked campaign: refused";
    log::error("{}", problem_);
    return {};
  }
  return feed(
      session::Invited{invite.campaign, invite.round, invite.base, invite.remaining_ms, now}, now);
}

Result<void> Node::on(const ChunkAck& ack, Instant now) {
  if (round_ && ack.round == round_->exchange().terms.round) {
    TRY(round_->take(ack, now));
    return after_round_event(now);
  }
  return feed(session::ChunkAcked{ack.round, ack.blob, ack.next_offset, now}, now);
}

Result<void> Node::on(const Receipt& receipt, Instant now) {
  TRY(masked_receipt(receipt, now));
  const NodeId self = keys_.identity.open.id();
  const bool mine = campaign_ && campaign_->id == receipt.campaign && receipt.published;
  if (mine && std::binary_search(receipt.survivors.begin(), receipt.survivors.end(), self))
    ++memory_.contributions;
  return feed(session::ReceiptArrived{receipt.campaign, receipt.round, receipt.published,
                                      receipt.version, now},
              now);
}

Result<void> Node::on(const Finished& finished, Instant now) {
  const bool mine = campaign_ && campaign_->id == finished.campaign;
  if (!mine && !session::base_of(session_)) return {};
  TRY(feed(session::FinishedArrived{finished.campaign, finished.version, now}, now));
  const bool reached_end = mine && finished.version.value >= campaign_->plan.rounds;
  if (!mine || reached_end || ending_ || memory_.reported) return {};
  log::warning("campaign \"{}\" ended at version {} of {}", memory_.name, finished.version.value,
               memory_.rounds);
  return begin_ending(finished.version, {}, false);
}

Result<void> Node::on(const Refused& refused, Instant now) {
  const std::string said = "the coordinator says: " + refused.why;
  if (said != problem_ && refused.code != Code::kUnavailable) log::warning("{}", said);
  if (said != problem_ && refused.code == Code::kUnavailable) log::info("{}", said);
  problem_ = said;
  return feed(session::RefusedArrived{refused.code, now}, now);
}

// ---- adapters

Result<void> Node::fetch(const Digest& blob, std::uint64_t size, Instant now) {
  const std::optional<session::Base> base = session::base_of(session_);
  const bool is_adapter = campaign_ && !campaign_->plan.logits.on;
  if (base && base->version.value == 0 && !adapters_.has(blob) && is_adapter) {
    // The first version is the same on all nodes: no need to send it.
    const std::vector<float> first = initial_adapter(campaign_->layout, campaign_->plan.lora.seed);
    const ByteView bytes = as_bytes(std::span<const float>(first));
    if (digest_of(bytes) == blob) TRY(adapters_.put(bytes));
  }
  if (adapters_.has(blob)) return arrived(blob, now);
  download_ = Download{blob, size};
  if (restraint_.held().hold == Hold::kOffline) return {};  // asked for again
  TRY_ASSIGN(std::uint64_t staged, adapters_.staged_bytes(blob, size));
  for (std::uint64_t ahead = 0; ahead < kFetchAhead && staged < size;
       ++ahead, staged += limits::kChunkBytes)
    TRY(link_->send(Fetch{blob, staged}, now));
  return {};
}

Result<void> Node::on(const Chunk& chunk, Instant now) {
  if (trust_wanted_ && chunk.blob == *trust_wanted_) return trust_chunk(chunk, now);
  if (!download_ || chunk.blob != download_->blob || chunk.size != download_->size) return {};
  auto staged = adapters_.staged_bytes(chunk.blob, chunk.size);
  if (!staged || chunk.offset != *staged) return {};  // one before it was lost: asked for again
  staged = adapters_.stage(chunk.blob, chunk.size, chunk.offset, chunk.data);
  if (!staged) {
    problem_ = "cannot keep an adapter: " + staged.error().what;
    log::error("{}", problem_);
    return {};
  }
  if (*staged == chunk.size) return arrived(chunk.blob, now);
  const std::uint64_t next = chunk.offset + kFetchAhead * limits::kChunkBytes;
  if (next < chunk.size && restraint_.held().hold != Hold::kOffline)
    TRY(link_->send(Fetch{chunk.blob, next}, now));
  return {};
}

Result<void> Node::arrived(const Digest& blob, Instant now) {
  download_.reset();
  heap_used_ = true;
  if (std::find(held_.begin(), held_.end(), blob) == held_.end()) held_.push_back(blob);
  if (held_.size() > kAdaptersHeld) {
    TRY(adapters_.remove(held_.front()));
    held_.pop_front();
  }
  TRY(feed(session::BlobArrived{blob, now}, now));
  if (!last_ || last_->blob != blob || ending_) return {};
  return begin_ending({campaign_->plan.rounds}, blob, true);
}

void Node::save_memory(Instant now) {
  memory_.seconds = since_.seconds + static_cast<double>(now - adopted_at_) / 1000;
  memory_.bytes_up = since_.bytes_up + link_->bytes_up() - link_up_;
  memory_.bytes_down = since_.bytes_down + link_->bytes_down() - link_down_;
  if (auto saved = records_.save(memory_); !saved) log::error("{}", saved.error().what);
}

}  // namespace freshet
