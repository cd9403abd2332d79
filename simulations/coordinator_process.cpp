#include "simulations/coordinator_process.h"

#include <algorithm>

#include "aggregation/quantize.h"
#include "base/check.h"
#include "coordinator/campaign_record.h"
#include "crypto/digest.h"
#include "simulations/toy_training.h"
#include "simulations/wire.h"

namespace freshet::sim {
namespace {

constexpr std::uint64_t kCoordinatorStream = 3;

}  // namespace

CoordinatorProcess::CoordinatorProcess(Stage stage, const campaign::Campaign& initial,
                                       const std::vector<float>& adapter)
    : stage_(stage), rng_(stage.world.seed, kCoordinatorStream), state_(initial) {
  if (stage.members != nullptr) desk_.emplace(stage.world);
  versions_[initial.adapter] = Version{floats_to_bytes(adapter), {}};
  CHECK(journal_.write_snapshot(campaign::encode(state_)));
  plan_crash();
}

// ---- messages

void CoordinatorProcess::receive(std::size_t from, const NodeMessage& message) {
  if (!up_) return;
  std::visit(
      [&](const auto& m) {
        if constexpr (requires { this->on(from, m); }) on(from, m);
      },
      message);
}

void CoordinatorProcess::on(std::size_t from, const Hello&) {
  feed(campaign::Hello{id_of(stage_.world, from), stage_.timeline.now()});
}
void CoordinatorProcess::on(std::size_t from, const Heartbeat& message) {
  feed(campaign::Heartbeat{id_of(stage_.world, from), message.base, message.activity,
                           stage_.timeline.now()});
}
void CoordinatorProcess::on(std::size_t from, const Ready& message) {
  feed(campaign::Ready{id_of(stage_.world, from), message.base, stage_.timeline.now()});
}
void CoordinatorProcess::on(std::size_t from, const Fetch& message) {
  auto version = versions_.find(message.blob);
  if (version == versions_.end() || message.offset > version->second.adapter.size()) return;
  const Bytes& bytes = version->second.adapter;
  const std::size_t end =
      std::min<std::size_t>(bytes.size(), message.offset + stage_.world.chunk_bytes);
  Bytes data(bytes.begin() + static_cast<std::ptrdiff_t>(message.offset),
             bytes.begin() + static_cast<std::ptrdiff_t>(end));
  stage_.network.send_to_node(from,
                              Chunk{message.blob, bytes.size(), message.offset, std::move(data)});
}

// Bytes are taken only from a member that has not answered; whatever else is claimed, the machine
// answers.
void CoordinatorProcess::on(std::size_t from, const UploadChunk& message) {
  const round::Round* open = campaign::open_round(state_);
  const round::Member* member = open != nullptr && open->plan.id == message.round
                                    ? round::find(*open, id_of(stage_.world, from))
                                    : nullptr;
  bool wanted = member != nullptr && !member->upload &&
                std::holds_alternative<campaign::Collecting>(state_.phase);
  if (wanted && desk_)
    wanted = std::holds_alternative<round::Collecting>(open->phase) &&
             member->document(round::Document::kShares).has_value();
  if (wanted) return stage_chunk(from, message);
  feed(campaign::Uploaded{id_of(stage_.world, from), message.round, message.blob,
                          stage_.timeline.now()});
}

void CoordinatorProcess::stage_chunk(std::size_t from, const UploadChunk& message) {
  Staged& staged = staged_[message.blob];
  staged.size = message.size;
  if (message.offset == staged.bytes.size() && message.offset + message.data.size() <= message.size)
    staged.bytes.insert(staged.bytes.end(), message.data.begin(), message.data.end());
  if (staged.bytes.size() < staged.size)
    return stage_.network.send_to_node(from,
                                       ChunkAck{message.round, message.blob, staged.bytes.size()});
  Bytes bytes = std::move(staged.bytes);
  staged_.erase(message.blob);
  if (digest_of(bytes) != message.blob)
    return stage_.network.send_to_node(
        from, Refused{Code::kBadInput, "the bytes are not those of the digest"});
  const Instant now = stage_.timeline.now();
  if (const auto good = desk_ ? desk_->check_frame({from, state_, now}, bytes) : Result<void>();
      !good) {
    stage_.network.send_to_node(from, Refused{Code::kBadInput, good.error().what});
    return feed(campaign::Left{id_of(stage_.world, from), message.round, now});
  }
  uploads_[message.blob] = std::move(bytes);
  feed(campaign::Uploaded{id_of(stage_.world, from), message.round, message.blob,
                          stage_.timeline.now()});
}

void CoordinatorProcess::tick() {
  if (!up_) return;
  for (campaign::Event& event : campaign::due(state_, stage_.timeline.now(), rng_.next_u64())) {
    if (auto* opened = std::get_if<campaign::RoundOpened>(&event); opened != nullptr && desk_)
      event = desk_->open(state_, *opened);
    feed(std::move(event));
  }
  if (up_) stage_.invariants.time_passed(state_, stage_.timeline.now());
}

// ---- decide, record, act

void CoordinatorProcess::feed(campaign::Event event) {
  pending_.push_back(std::move(event));
  if (feeding_) return;
  feeding_ = true;
  while (up_ && !pending_.empty()) {
    const campaign::Event next = std::move(pending_.front());
    pending_.pop_front();
    feed_one(next);
  }
  pending_.clear();
  feeding_ = false;
}

void CoordinatorProcess::feed_one(const campaign::Event& event) {
  stage_.timeline.note(1, event.index(), state_.version.value);
  campaign::Step step = stage_.machines.campaign(std::move(state_), event);
  state_ = std::move(step.next);
  if (step.durable) {
    if (!journal_.append(campaign::encode(event))) return die();
    ++entries_;
    if (stage_.world.snapshot_every > 0 && entries_ % stage_.world.snapshot_every == 0) {
      stage_.invariants.after_event(journal_, state_,
                                    stage_.timeline.now());  // reads before the snapshot swallows
      if (!journal_.write_snapshot(campaign::encode(state_))) return die();
    }
  }
  stage_.invariants.after_event(journal_, state_, stage_.timeline.now());
  if (desk_) {
    if (auto first = desk_->settle(state_, stage_.timeline.now()))
      pending_.push_front(std::move(*first));
    stage_.promises->holds(desk_->documents(), state_);
  }
  act_all(step.effects);
}

void CoordinatorProcess::act_all(const std::vector<campaign::Effect>& effects) {
  for (const campaign::Effect& effect : effects) {
    if (effects_left_ > 0 && --effects_left_ == 0) return die();
    stage_.invariants.acts(effect);
    act(effect);
  }
}

void CoordinatorProcess::announce(NodeId node) {
  stage_.network.send_to_node(index_of(stage_.world, node),
                              Announce{kCampaign, stage_.world.plan, state_.version, state_.adapter,
                                       versions_.at(state_.adapter).adapter.size(), Digest{}});
}

void CoordinatorProcess::act(const campaign::Effect& effect) {
  Network& network = stage_.network;
  if (const auto* e = std::get_if<campaign::SendAnnounce>(&effect)) {
    announce(e->node);
  } else if (const auto* invite = std::get_if<campaign::SendInvite>(&effect)) {
    SealingPublic seal_to;
    if (stage_.wire != nullptr) seal_to = stage_.wire->coordinator().open.sealing;
    network.send_to_node(index_of(stage_.world, invite->node),
                         Invite{kCampaign, invite->round, invite->base, invite->cohort,
                                invite->remaining_ms, seal_to});
  } else if (const auto* accepted = std::get_if<campaign::SendAccepted>(&effect)) {
    auto bytes = uploads_.find(accepted->upload);
    if (bytes == uploads_.end())
      return stage_.invariants.violated("an upload is accepted that is not stored");
    network.send_to_node(index_of(stage_.world, accepted->node),
                         ChunkAck{accepted->round, accepted->upload, bytes->second.size()});
  } else if (const auto* receipt = std::get_if<campaign::SendReceipt>(&effect)) {
    const Receipt message = desk_
                                ? desk_->receipt(*receipt, kCampaign)
                                : Receipt{kCampaign,        receipt->round,     receipt->published,
                                          receipt->version, receipt->survivors, {}};
    for (NodeId node : receipt->to) network.send_to_node(index_of(stage_.world, node), message);
  } else if (const auto* phase = std::get_if<campaign::SendPhase>(&effect)) {
    for (auto& message : desk_->owed(state_, phase->node, stage_.timeline.now()))
      network.send_to_node(index_of(stage_.world, phase->node), std::move(message));
  } else if (const auto* finished = std::get_if<campaign::SendFinished>(&effect)) {
    network.send_to_node(index_of(stage_.world, finished->node),
                         freshet::Finished{kCampaign, finished->version});
  } else if (const auto* refused = std::get_if<campaign::SendRefused>(&effect)) {
    network.send_to_node(index_of(stage_.world, refused->node),
                         Refused{refused->code, refused->why});
  } else if (const auto* sum = std::get_if<campaign::AddAndStep>(&effect)) {
    const std::uint64_t life = life_;
    stage_.timeline.after(stage_.world.summing_ms, [this, life, work = *sum] {
      if (up_ && life == life_) add_and_step(work);
    });
  } else if (const auto* drop = std::get_if<campaign::DropUploads>(&effect)) {
    for (const Digest& upload : drop->uploads) uploads_.erase(upload);
  }
}

// ---- the data plane

Result<QuantizedUpdate> CoordinatorProcess::open(const round::Survivor& survivor,
                                                 RoundId round) const {
  auto bytes = uploads_.find(survivor.upload);
  if (bytes == uploads_.end()) return fail(Code::kCorrupt, "an accepted upload is gone");
  if (stage_.wire == nullptr)
    return open_upload_bytes(bytes->second, round, index_of(stage_.world, survivor.node));
  return open_update(bytes->second, stage_.world.plan.grid, stage_.world.entries,
                     stage_.wire->coordinator(),
                     UpdateContext{kCampaign, round, survivor.node, Digest{}});
}

void CoordinatorProcess::add_and_step(const campaign::AddAndStep& work) {
  const round::Round* round = campaign::open_round(state_);
  if (round == nullptr || round->plan.id != work.round ||
      round::survivors(*round) != work.survivors)
    return;
  if (desk_) return add_masked(work, *round);
  QuantizedSum sum;
  std::vector<NodeId> spoiled;
  for (const round::Survivor& survivor : work.survivors) {
    auto update = open(survivor, work.round);
    if (!update && update.error().code == Code::kCorrupt)
      return stage_.invariants.violated(update.error().what);
    const bool fits = update && update->words.size() == stage_.world.entries + 1;
    if (!fits || !add(sum, *update, stage_.world.plan.grid)) spoiled.push_back(survivor.node);
  }
  if (!spoiled.empty())
    return feed(campaign::Spoiled{work.round, std::move(spoiled), stage_.timeline.now()});
  publish(work, sum);
}

void CoordinatorProcess::add_masked(const campaign::AddAndStep& work, const round::Round& round) {
  stage_.promises->opens(round);
  auto sum = desk_->sum(round, uploads_);
  if (!sum && sum.error().code == Code::kUnavailable) return;
  if (!sum) return stage_.invariants.violated("I1: a sum does not open: " + sum.error().what);
  publish(work, *sum);
}

void CoordinatorProcess::publish(const campaign::AddAndStep& work, const QuantizedSum& sum) {
  auto mean = dequantize_mean(sum, stage_.world.plan.grid);
  CHECK(mean, "{}", mean.error().what);
  const Version& base = versions_.at(state_.adapter);
  ServerStep step = server_step(stage_.world.plan.rule, base.moments, *mean);
  std::vector<float> next = floats_from_bytes(base.adapter);
  for (std::size_t i = 0; i < next.size(); ++i) next[i] += step.delta[i];
  Version version{floats_to_bytes(next), std::move(step.moments)};
  const Digest digest = digest_of(version.adapter);
  stage_.invariants.blob_made(digest, version.adapter);
  versions_[digest] = std::move(version);
  const Digest of_sum =
      digest_of("freshet/sum/v1", as_bytes(std::span<const std::uint32_t>(sum.words)));
  feed(campaign::Summed{work.round, VersionId{work.base.value + 1}, digest, stage_.timeline.now(),
                        of_sum});
}

// ---- dying and coming back

void CoordinatorProcess::plan_crash() {
  effects_left_ = 0;
  if (crashes_ >= stage_.world.crashes.size()) return;
  const CrashPlan& crash = stage_.world.crashes[crashes_];
  if (crash.write > 0) {
    journal_.fail_write(crash.write,
                        crash.kept ? MemoryJournal::Fault::kKept : MemoryJournal::Fault::kLost);
  } else {
    effects_left_ = crash.effect;
  }
}

void CoordinatorProcess::die() {
  stage_.timeline.note(2, crashes_);
  up_ = false;
  ++life_;
  const CrashPlan crash = stage_.world.crashes[crashes_++];
  journal_.crash();
  if (desk_) desk_->forget();
  if (happens(rng_, 0.5)) staged_.clear();
  stage_.timeline.after(crash.down_ms, [this] { recover(); });
}

void CoordinatorProcess::recover() {
  auto snapshot = journal_.latest_snapshot();
  CHECK(snapshot && *snapshot, "the journal has no snapshot");
  auto state = campaign::decode_campaign((*snapshot)->state);
  if (!state)
    return stage_.invariants.violated("a snapshot does not decode: " + state.error().what);
  state_ = std::move(*state);
  auto replayed = journal_.replay(
      (*snapshot)->next_sequence, [&](std::uint64_t, ByteView entry) -> Result<void> {
        TRY_ASSIGN(const campaign::Event event, campaign::decode_event(entry));
        state_ = stage_.machines.campaign(std::move(state_), event).next;
        return {};
      });
  if (!replayed) return stage_.invariants.violated("recovery: " + replayed.error().what);
  stage_.invariants.recovered(journal_, state_, stage_.timeline.now());
  stage_.timeline.note(3, state_.version.value, state_.last_round.value);
  up_ = true;
  plan_crash();
  feed(campaign::Recovered{stage_.timeline.now()});
  if (up_) act_all(campaign::resume(state_, stage_.timeline.now()));
}

}  // namespace freshet::sim
