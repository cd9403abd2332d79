#include "simulations/node_process.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "simulations/toy_training.h"
#include "simulations/wire.h"

namespace freshet::sim {
namespace {

constexpr std::uint64_t kNodeStream = 100'000;
constexpr double kLieEachTick = 0.1;

}  // namespace

NodeProcess::NodeProcess(const Stage& stage, std::size_t index)
    : world_(stage.world),
      machines_(stage.machines),
      members_(stage.members),
      timeline_(stage.timeline),
      wire_(stage.wire != nullptr),
      later_(stage),
      index_(index),
      traits_(world_.nodes[index]),
      rng_(world_.seed, kNodeStream + index) {}

// ---- what is not this node's own

void NodeProcess::note(std::uint64_t what, std::uint64_t detail) {
  later_([=, index = index_](const Stage& stage) { stage.timeline.note(what, index, detail); });
}

void NodeProcess::wake(Instant when, std::function<void()> happens) {
  NodeEvent event{index_, [this, happens = std::move(happens)] {
                    happens();
                    return take_deeds();
                  }};
  later_([=](const Stage& stage) { stage.timeline.at(when, event); });
}

std::int64_t NodeProcess::spread(std::int64_t most_ms) {
  return traits_.in_step ? 0 : between(rng_, 0, most_ms);
}

void NodeProcess::violated(std::string what) {
  later_([what = std::move(what)](const Stage& stage) { stage.invariants.violated(what); });
}

// ---- up and down

void NodeProcess::start() {
  wake(now() + spread(3'000), [this] {
    if (!up_) come_up();
  });
  for (const Outage& outage : traits_.restarts)
    wake(outage.from, [this, until = outage.until] { go_down(until); });
  if (traits_.vanishes.ms != INT64_MAX) wake(traits_.vanishes, [this] { go_down(std::nullopt); });
}

void NodeProcess::go_down(std::optional<Instant> until) {
  if (!up_ || calm_) return;
  note(10);
  up_ = false;
  ++training_;
  adapter_.clear();
  round_.reset();
  admitted_.reset();
  dies_ = false;
  if (!until) return;
  wake(*until, [this] {
    const bool gone = now() >= traits_.vanishes;
    if (!up_ && !gone) come_up();
  });
}

void NodeProcess::come_up() {
  up_ = true;
  session_ = session::Session{};
  std::optional<session::Contribution> contribution;
  std::optional<session::Upload> upload;
  if (stored_) contribution = stored_->contribution;
  if (stored_upload_) upload = stored_upload_->upload;
  feed(session::Restarted{contribution, upload, now()});
  feed(session::Connected{now()});
}

void NodeProcess::tick() {
  if (!up_) return;
  lie_now_and_then();
  feed(session::Tick{now()});
  if (!round_ || !up_) return;
  CHECK(round_->feed(exchange::Tick{now()}, now()));
  after_round_event();
}

// ---- messages

void NodeProcess::receive(const CoordinatorMessage& message) {
  if (!up_) return;
  std::visit(
      [&](const auto& m) {
        if constexpr (requires { this->on(m); }) on(m);
      },
      message);
}

void NodeProcess::on(const Announce& message) {
  feed(session::Announced{
      session::Base{message.campaign, message.version, message.adapter, message.adapter_bytes},
      now()});
}
void NodeProcess::on(const Invite& message) {
  seal_to_ = message.seal_to;
  seen_round_ = std::max(seen_round_, message.round);
  feed(
      session::Invited{message.campaign, message.round, message.base, message.remaining_ms, now()});
}
void NodeProcess::on(const ChunkAck& message) {
  if (round_ && message.round == round_->exchange().terms.round) return to_round(message);
  feed(session::ChunkAcked{message.round, message.blob, message.next_offset, now()});
}
void NodeProcess::on(const Chunk& message) {
  const auto* fetching = std::get_if<session::Fetching>(&session_.phase);
  if (fetching == nullptr || fetching->base.adapter != message.blob ||
      message.offset != adapter_.size())
    return;
  adapter_.insert(adapter_.end(), message.data.begin(), message.data.end());
  if (adapter_.size() < message.size) return send(Fetch{message.blob, adapter_.size()});
  if (digest_of(adapter_) == message.blob) feed(session::BlobArrived{message.blob, now()});
}
void NodeProcess::on(const Receipt& message) {
  seen_round_ = std::max(seen_round_, message.round);
  check_receipt(message);
  if (!up_) return;
  feed(session::ReceiptArrived{message.campaign, message.round, message.published, message.version,
                               now()});
}
void NodeProcess::on(const Finished& message) {
  feed(session::FinishedArrived{message.campaign, message.version, now()});
}
void NodeProcess::on(const Refused& message) { feed(session::RefusedArrived{message.code, now()}); }

// ---- decide, act

void NodeProcess::feed(session::Event event) {
  pending_.push_back(std::move(event));
  if (feeding_) return;
  feeding_ = true;
  while (!pending_.empty()) {
    const session::Event next = std::move(pending_.front());
    pending_.pop_front();
    session::Step step = machines_.session(std::move(session_), next);
    session_ = std::move(step.next);
    if (step.accepted) note(11, next.index() << 8 | session_.phase.index());
    for (const session::Effect& effect : step.effects)
      std::visit([&](const auto& e) { act(e); }, effect);
  }
  feeding_ = false;
}

void NodeProcess::send(NodeMessage message) {
  const auto shared = std::make_shared<const NodeMessage>(std::move(message));
  later_([shared, index = index_](const Stage& stage) {
    if (const auto* ready = std::get_if<Ready>(shared.get()))
      stage.invariants.said_ready(id_of(stage.world, index), ready->base);
    stage.network.send_to_coordinator(index, shared);
  });
}

void NodeProcess::act(const session::SendHello&) { send(Hello{1, "simulated", Digest{}}); }
void NodeProcess::act(const session::SendHeartbeat& effect) {
  send(Heartbeat{effect.campaign, effect.base, effect.activity});
}
void NodeProcess::act(const session::SendReady& effect) {
  if (!lies(Lie::kOutsider)) send(Ready{effect.campaign, effect.base});
}
void NodeProcess::act(const session::FetchBlob& effect) {
  if (adapter_.size() >= effect.size) adapter_.clear();
  send(Fetch{effect.blob, adapter_.size()});
}

void NodeProcess::act(const session::StartTraining& effect) {
  const std::uint64_t id = ++training_;
  wake(now() + (traits_.training_ms + spread(500)), [this, id, base = effect.base] {
    if (up_ && id == training_) finish_training(base);
  });
}
void NodeProcess::act(const session::StopTraining&) { ++training_; }

void NodeProcess::finish_training(const session::Base& base) {
  const bool fails = !calm_ && happens(rng_, traits_.trainer_fails);
  if (digest_of(adapter_) != base.adapter)
    return violated("a session trains without the adapter that it trains from");
  auto update =
      train(world_, Lesson{index_, base.version, ++attempts_}, floats_from_bytes(adapter_));
  if (fails || !update) return feed(session::TrainerFailed{base.version, now()});
  if (lies(Lie::kGarbageWords)) std::fill(update->words.begin(), update->words.end(), 0xffffffffu);
  const Digest digest = digest_of(as_bytes(std::span<const std::uint32_t>(update->words)));
  stored_ = Stored{session::Contribution{base, digest},
                   std::make_shared<const QuantizedUpdate>(std::move(*update))};
  stored_upload_.reset();
  feed(session::Trained{stored_->contribution, now()});
}

Bytes NodeProcess::seal(const QuantizedUpdate& update, RoundId round) const {
  if (!wire_ || lies(Lie::kGarbageWords)) return upload_bytes(round, index_, update);
  return seal_update(update, world_.plan.grid, seal_to_,
                     UpdateContext{kCampaign, round, id_of(world_, index_), Digest{}})
      .bytes;
}

void NodeProcess::act(const session::SealUpload& effect) {
  if (!stored_ || stored_->contribution != effect.contribution)
    return violated("a session wants to send what its store does not hold");
  Bytes bytes = seal(*stored_->update, effect.round);
  const session::Upload upload{effect.round, digest_of(bytes), bytes.size()};
  later_([node = id_of(world_, index_), base = effect.contribution.base.version,
          round = effect.round, update = stored_->update, blob = upload.blob](const Stage& stage) {
    stage.invariants.sealed(node, base, round, update, blob);
  });
  stored_upload_ = StoredUpload{upload, std::move(bytes)};
  feed(session::Sealed{upload, now()});
}

void NodeProcess::act(const session::SendUpload& effect) {
  if (!stored_upload_ || stored_upload_->upload.blob != effect.blob)
    return violated("a session wants to send an upload that its store does not hold");
  send_chunk(effect.round, effect.blob, stored_upload_->bytes, effect.offset);
}

void NodeProcess::send_chunk(RoundId round, const Digest& blob, const Bytes& bytes,
                             std::uint64_t offset) {
  const std::size_t begin = std::min<std::size_t>(offset, bytes.size());
  const std::size_t end = std::min(bytes.size(), begin + world_.chunk_bytes);
  Bytes data(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
             bytes.begin() + static_cast<std::ptrdiff_t>(end));
  if (lies(Lie::kWrongDigest) && !data.empty()) data[rng_.below(data.size())] ^= 1;
  send(UploadChunk{kCampaign, round, blob, bytes.size(), offset, std::move(data)});
}

void NodeProcess::act(const session::DropContribution& effect) {
  if (stored_upload_) {
    last_upload_ = stored_upload_->upload;
    last_bytes_ = stored_upload_->bytes;
  }
  if (!stored_ || stored_->contribution.base.version != effect.base) return;
  stored_.reset();
  stored_upload_.reset();
}

// ---- lies that need no occasion

void NodeProcess::lie_now_and_then() {
  if (calm_ || traits_.lie == Lie::kNone || !happens(rng_, kLieEachTick)) return;
  if (lies(Lie::kUnknownMessage))
    later_([index = index_](const Stage& stage) { stage.network.send_garbage(index); });
  const std::optional<session::Base> base = session::base_of(session_);
  if (lies(Lie::kWrongBase) && base)
    send(Ready{kCampaign, VersionId{base->version.value + 1 - 2 * rng_.below(2)}});
  const auto* waiting = std::get_if<session::Waiting>(&session_.phase);
  if (lies(Lie::kSecondUpload) && waiting != nullptr) {
    const Bytes other{1, 2, 3, static_cast<std::uint8_t>(rng_.next_u32())};
    send_chunk(waiting->round, digest_of(other), other, 0);
  }
  if (lies(Lie::kOutsider)) {
    const Bytes bytes{9, static_cast<std::uint8_t>(rng_.next_u32())};
    send_chunk(RoundId{1 + rng_.below(world_.rules.rounds + 1)}, digest_of(bytes), bytes, 0);
  }
  if (lies(Lie::kReplaysRounds) && !said_.empty()) send(said_[rng_.below(said_.size())]);
  if (lies(Lie::kReplayer) && last_upload_) {
    const RoundId round = happens(rng_, 0.5) ? last_upload_->round : seen_round_;
    send_chunk(round, last_upload_->blob, last_bytes_,
               rng_.below(last_bytes_.size()) / world_.chunk_bytes * world_.chunk_bytes);
  }
}

}  // namespace freshet::sim
