// What a node's session decides, done.

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "aggregation/clip.h"
#include "aggregation/pack.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "crypto/keyed_rng.h"
#include "edge_node/driver.h"
#include "protocol/sealed_update.h"

namespace freshet {
namespace {

constexpr std::uint32_t kProtocol = 1;
constexpr int kEvaluateTriesMax = 3;
constexpr double kAdaptiveRoom = 1024;  // that an adaptive clip may grow by
constexpr std::uint64_t kEvaluateFirst =
    2;  // of the first versions the gain is shown before training goes on

AdapterSpec spec_of(const CampaignPlan& plan) {
  return {plan.lora.rank, plan.lora.alpha, plan.lora.targets};
}

}  // namespace

Result<void> Node::feed(session::Event event, Instant now) {
  pending_.push_back(std::move(event));
  if (pending_.size() > 1) return {};  // the outermost call works them off
  while (!pending_.empty()) {
    session::Step step = session::step(std::move(session_), pending_.front());
    session_ = std::move(step.next);
    for (const session::Effect& effect : step.effects)
      TRY(std::visit([&](const auto& each) { return act(each, now); }, effect));
    pending_.pop_front();
  }
  return {};
}

Result<void> Node::act(const session::SendHello&, Instant now) {
  return link_->send(Hello{kProtocol, "freshet 0.1.0", model_}, now);
}

Result<void> Node::act(const session::SendHeartbeat& effect, Instant now) {
  return link_->send(Heartbeat{effect.campaign, effect.base, effect.activity}, now);
}

Result<void> Node::act(const session::SendReady& effect, Instant now) {
  if (restraint_.held().hold == Hold::kOffline)  // alive, and not to be counted on
    return link_->send(Heartbeat{effect.campaign, effect.base, Activity::kIdle}, now);
  return link_->send(Ready{effect.campaign, effect.base}, now);
}

Result<void> Node::act(const session::FetchBlob& effect, Instant now) {
  return fetch(effect.blob, effect.size, now);
}

FinetunePlan Node::finetune_plan(VersionId version) const {
  const CampaignPlan& plan = campaign_->plan;
  const Factors factors = factors_of(plan.method, version.value);
  FinetunePlan finetune;
  finetune.adapter = spec_of(plan);
  finetune.train_a = factors.a;
  finetune.train_b = factors.b;
  finetune.train_core = factors.core;
  finetune.steps = plan.training.steps;
  finetune.batch = plan.training.batch;
  finetune.window = plan.training.window;
  finetune.lr = plan.training.lr;
  // Repeatable after a crash, and known to nobody else.
  finetune.seed =
      KeyedRng(keys_.storage, "freshet/training/v1", campaign_->id, version).next_u64() ^
      plan.training.seed;
  return finetune;
}

Result<std::vector<float>> Node::load_adapter(const Digest& digest) const {
  TRY_ASSIGN(MappedFile file, adapters_.map(digest));
  const std::size_t entries = campaign_->layout.size;
  if (file.view().size() != entries * sizeof(float))
    return fail(Code::kBadInput, "the adapter has the wrong length");
  std::vector<float> values(entries);
  std::memcpy(values.data(), file.view().data(), file.view().size());
  for (float value : values)
    if (!std::isfinite(value)) return fail(Code::kBadInput, "the adapter is not finite");
  return values;
}

Result<void> Node::act(const session::StartTraining& effect, Instant now) {
  if (!campaign_ || campaign_->id != effect.base.campaign) return {};
  for (const auto& [id, purpose] : jobs_)
    if ((purpose.kind == Purpose::kTrain || purpose.kind == Purpose::kAnswer) &&
        purpose.base == effect.base)
      return {};
  if (campaign_->plan.logits.on) return start_answering(effect.base, now);
  auto adapter = load_adapter(effect.base.adapter);
  if (!adapter) {
    log::error("version {}: {}", effect.base.version.value, adapter.error().what);
    return feed(session::TrainerFailed{effect.base.version, now}, now);
  }
  const bool evaluate_first =
      effect.base.version.value < kEvaluateFirst || campaign_->plan.evaluation;
  if (evaluate_first) evaluate(effect.base);
  jobs_[learner_.submit(FinetuneJob{finetune_plan(effect.base.version), std::move(*adapter)})] = {
      Purpose::kTrain, effect.base};
  if (!evaluate_first) evaluate(effect.base);
  return {};
}

Result<void> Node::act(const session::StopTraining& effect, Instant now) {
  for (auto at = jobs_.begin(); at != jobs_.end();) {
    const bool contributes =
        at->second.kind == Purpose::kTrain || at->second.kind == Purpose::kAnswer;
    const bool stops = contributes && at->second.base.version == effect.base;
    if (stops) learner_.cancel(at->first, now);
    at = stops ? jobs_.erase(at) : std::next(at);
  }
  return {};
}

void Node::evaluate(const session::Base& base) {
  if (memory_.evaluated && *memory_.evaluated >= base.version.value) return;
  for (const auto& [id, purpose] : jobs_)
    if (purpose.kind == Purpose::kEvaluate && purpose.base == base) return;
  auto adapter = load_adapter(base.adapter);
  if (!adapter) {
    log::warning("version {} is not evaluated: {}", base.version.value, adapter.error().what);
    return;
  }
  const CampaignPlan& plan = campaign_->plan;
  EvaluateJob job{spec_of(plan), std::move(*adapter), plan.training.window, options_.eval_tokens};
  jobs_[learner_.submit(std::move(job))] = {Purpose::kEvaluate, base};
}

Result<void> Node::job_done(JobDone done, Instant now) {
  auto found = jobs_.find(done.id);
  if (found == jobs_.end()) return {};
  const Purpose purpose = found->second;
  jobs_.erase(found);
  if (purpose.kind == Purpose::kTrain || purpose.kind == Purpose::kAnswer)
    return trained(purpose.base, std::move(done), now);
  if (purpose.kind == Purpose::kEvaluateOwn) {
    const auto* own = std::get_if<Evaluation>(&done.result);
    return own != nullptr ? evaluated(purpose.base.version, *own, now) : Result<void>();
  }
  if (purpose.kind != Purpose::kEvaluate) {
    ending_job_done(purpose, std::move(done));
    return {};
  }
  if (const auto* evaluation = std::get_if<Evaluation>(&done.result)) {
    evaluate_failures_ = 0;
    return evaluated(purpose.base.version, *evaluation, now);
  }
  const auto* error = std::get_if<Error>(&done.result);
  log::warning("version {} was not evaluated: {}", purpose.base.version.value,
               error != nullptr ? error->what : "the trainer answered something else");
  if (++evaluate_failures_ < kEvaluateTriesMax) evaluate(purpose.base);
  return {};
}

// The types of this function are the ladder: nothing but a ClippedUpdate can be kept.
Result<session::Contribution> Node::keep(const session::Base& base, const Finetuned& finetuned) {
  const CampaignPlan& plan = campaign_->plan;
  const Layout& whole = campaign_->layout;
  if (finetuned.adapter.size() != whole.size)
    return fail(Code::kBadInput, "the trainer returned an adapter of another layout");
  const Factors factors = factors_of(plan.method, base.version.value);
  const Layout phase = phase_layout(whole, factors.a, factors.b, factors.core);
  TRY_ASSIGN(std::vector<float> before, load_adapter(base.adapter));
  Update update{gather(whole, phase, finetuned.adapter), 1};
  const std::vector<float> start = gather(whole, phase, before);
  for (std::size_t i = 0; i < start.size(); ++i) update.values[i] -= start[i];
  const std::uint64_t windows =
      learner_.text()
          ? learner_.text()->train_tokens / static_cast<std::uint64_t>(plan.training.window)
          : 1;
  const std::uint64_t cap = std::min(options_.policy.weight_max, plan.grid.weight_max);
  update.weight = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(windows, 1, cap));
  // Where the clip follows the norms, the round's own is what counts, once it is known.
  const double norm_max = plan.clip * (plan.privacy.adaptive_clip ? kAdaptiveRoom : 1);
  TRY_ASSIGN(Clipped clipped, clip(std::move(update), norm_max));
  return contributions_.put(base, clipped.update);
}

Result<void> Node::trained(const session::Base& base, JobDone done, Instant now) {
  const auto* training = std::get_if<session::Training>(&session_.phase);
  if (training == nullptr || training->base != base) return {};  // too late: nobody will ask for it
  const auto* finetuned = std::get_if<Finetuned>(&done.result);
  if (finetuned != nullptr) {
    memory_.train_loss = finetuned->last_loss;
    log::info("trained from version {}: loss {:.3f} -> {:.3f} in {:.1f} s", base.version.value,
              finetuned->first_loss, finetuned->last_loss, finetuned->seconds);
    if (campaign_->plan.logits.on) {
      ask_trainer(base, *finetuned);
      return {};
    }
  }
  Result<session::Contribution> kept = fail(Code::kBadInput, "the trainer answered something else");
  if (auto* error = std::get_if<Error>(&done.result)) kept = tl::unexpected(std::move(*error));
  if (finetuned != nullptr) kept = keep(base, *finetuned);
  if (auto* values = std::get_if<std::vector<float>>(&done.result))
    kept = keep_answer(base, std::move(*values));
  if (!kept) {
    problem_ =
        fmt::format("training from version {} failed: {}", base.version.value, kept.error().what);
    log::warning("{}", problem_);
    return feed(session::TrainerFailed{base.version, now}, now);
  }
  stored_ = *kept;
  heap_used_ = true;
  return feed(session::Trained{*kept, now}, now);
}

Result<void> Node::evaluated(VersionId version, const Evaluation& evaluation, Instant now) {
  const double bpb = evaluation.bits_per_byte();
  if (version.value == 0) memory_.bpb_before = bpb;
  if (memory_.evaluated && *memory_.evaluated > version.value)
    return {};  // a slow one of an older version
  memory_.evaluated = version.value;
  const double bits = bpb * static_cast<double>(evaluation.bytes);
  evaluated_ =
      Evaluated{version, {static_cast<std::uint64_t>(std::llround(1000 * bits)), evaluation.bytes}};
  memory_.bpb_now = bpb;
  save_memory(now);
  log::info("version {}: {:.3f} bits per byte on held-out text", version.value, bpb);
  const Metric metric{version,         memory_.train_loss, bpb,
                      memory_.seconds, memory_.bytes_up,   memory_.bytes_down};
  if (auto added = records_.add(memory_.campaign, metric); !added)
    log::error("{}", added.error().what);
  return {};
}

// ---- the contribution leaves

Result<void> Node::act(const session::SealUpload& effect, Instant now) {
  if (!campaign_ || campaign_->id != effect.contribution.base.campaign)
    return {};  // asked again once it was announced
  auto update = contributions_.get(effect.contribution);
  if (!update) {
    log::error("{}", update.error().what);
    return {};
  }
  const CampaignPlan& plan = campaign_->plan;
  const VersionId version = effect.contribution.base.version;
  KeyedRng rng(keys_.storage, "freshet/rounding/v1", campaign_->id, version);
  const QuantizedUpdate quantized =
      quantize(*update, plan.grid, [&rng](std::span<std::uint32_t> out) {
        for (std::uint32_t& word : out) word = rng.next_u32();
      });
  const Factors factors = factors_of(plan.method, version.value);
  const Digest layout = digest_of(
      "freshet/layout/v1",
      canonical_bytes(phase_layout(campaign_->layout, factors.a, factors.b, factors.core)));
  const UpdateContext context{campaign_->id, effect.round, keys_.identity.open.id(), layout};
  const SealedUpdate sealed = seal_update(quantized, plan.grid, coordinator_.sealing, context);
  TRY_ASSIGN(int bits, sum_bits(plan.grid, 1));
  TRY(link_->record(fmt::format("round-{}.update", effect.round.value),
                    pack(quantized.words, bits)));
  auto upload = contributions_.put_upload(effect.round, sealed.bytes);
  if (upload) return feed(session::Sealed{*upload, now}, now);
  log::error("{}", upload.error().what);  // tried again
  return {};
}

Result<void> Node::act(const session::SendUpload& effect, Instant now) {
  if (!campaign_) return {};
  auto file = contributions_.map_upload({effect.round, effect.blob, effect.size});
  if (!file) {
    log::error("{}", file.error().what);
    return {};
  }
  const ByteView sealed = ContributionStore::sealed_part(*file);
  const std::size_t count = std::min<std::size_t>(limits::kChunkBytes, effect.size - effect.offset);
  return link_->send(UploadChunk{campaign_->id, effect.round, effect.blob, effect.size,
                                 effect.offset, to_bytes(sealed.subspan(effect.offset, count))},
                     now);
}

Result<void> Node::act(const session::DropContribution& effect, Instant) {
  if (!stored_ || stored_->base.campaign != effect.campaign || stored_->base.version != effect.base)
    return {};
  stored_.reset();
  return contributions_.remove();
}

}  // namespace freshet
