// How a campaign under way gets its next version: a sum, or a rule over the means of groups, then
// the gate; and how an operator takes a version back. Nothing here is journaled before it is
// decided: after a crash the sum is made again, and the gate is asked again.

#include <fmt/format.h>

#include <cstring>

#include "aggregation/robust/groups.h"
#include "base/crash_point.h"
#include "base/limits.h"
#include "base/log.h"
#include "coordinator/campaign_record.h"
#include "coordinator/campaign_run.h"
#include "coordinator/told_apart.h"

namespace freshet {
namespace {

constexpr std::int64_t kTidyUpMs = 200;

// u32 count, f64 weight, then the values.
Bytes bytes_of_mean(const MeanUpdate& mean) {
  Bytes bytes(sizeof mean.count + sizeof mean.total_weight);
  std::memcpy(bytes.data(), &mean.count, sizeof mean.count);
  std::memcpy(bytes.data() + sizeof mean.count, &mean.total_weight, sizeof mean.total_weight);
  const ByteView values = as_bytes(std::span<const float>(mean.values));
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

Result<MeanUpdate> mean_from(ByteView bytes, std::size_t entries) {
  MeanUpdate mean;
  const std::size_t head = sizeof mean.count + sizeof mean.total_weight;
  if (bytes.size() != head + entries * sizeof(float))
    return fail(Code::kCorrupt, fmt::format("the mean of a group has {} bytes, want {} entries",
                                            bytes.size(), entries));
  std::memcpy(&mean.count, bytes.data(), sizeof mean.count);
  std::memcpy(&mean.total_weight, bytes.data() + sizeof mean.count, sizeof mean.total_weight);
  mean.values.resize(entries);
  std::memcpy(mean.values.data(), bytes.data() + head, entries * sizeof(float));
  return mean;
}

}  // namespace

// ---- groups

Result<void> CampaignRun::keep_group(const MaskedMean& mean, Instant now) {
  TRY_ASSIGN(const Digest kept, documents_.put(bytes_of_mean(mean.mean)));
  TRY(keep_clip(next_clip_of(mean)));
  pending_.push_back(campaign::GroupSummed{owed_->round, kept, mean.sum, mean.totals, now});
  owed_.reset();
  return {};
}

Result<void> CampaignRun::on(const campaign::CombineGroups& effect, Instant now) {
  owed_groups_ = effect;
  candidate_.reset();
  return make_next(now);
}

Result<void> CampaignRun::combine_groups(Instant now) {
  const RoundShape shape = round_shape(plan_, layout_, owed_groups_->base);
  std::vector<MeanUpdate> means;
  for (const Digest& each : owed_groups_->means) {
    TRY_ASSIGN(const Bytes bytes, book_hooks().get(each));
    TRY_ASSIGN(MeanUpdate mean, mean_from(bytes, shape.phase.size));
    means.push_back(std::move(mean));
  }
  auto mean = mean_of_groups(group_rule(robust_, plan_), means);
  if (!mean) {
    pending_.push_back(campaign::HeldBack{state_.last_round, mean.error().what, now});
    owed_groups_.reset();
    return {};
  }
  TRY_ASSIGN(const Digest adapter,
             step_with({adapters_, uploads_}, shape,
                       sum_plan(state_.last_round, owed_groups_->base, {}), *mean));
  log::info("version {}: {} over {} groups of {} nodes", owed_groups_->base.value + 1,
            name_of(robust_.rule), means.size(), mean->count);
  return promote({.round = state_.last_round, .adapter = adapter, .of_groups = true}, now);
}

// ---- the gate

Result<void> CampaignRun::promote(Candidate candidate, Instant now) {
  candidate_ = std::move(candidate);
  crash_point("sum made");
  if (robust_.public_text.empty()) return publish_candidate(now);
  if (auto asked = ask_gate(); !asked) retry_gate(asked.error(), now);
  return {};
}

Result<void> CampaignRun::publish_candidate(Instant now) {
  const Candidate made = *std::exchange(candidate_, std::nullopt);
  TRY(keep_clip(made.clip));
  const VersionId next{state_.version.value + 1};
  if (made.of_groups) {
    pending_.push_back(campaign::Combined{next, made.adapter, now});
  } else {
    pending_.push_back(
        campaign::Summed{made.round, next, made.adapter, now, made.sum, made.totals});
  }
  owed_.reset();
  owed_groups_.reset();
  return {};
}

Result<void> CampaignRun::ask_gate() {
  if (!gate_) {
    const LoraPlan& lora = plan_.lora;
    TRY_ASSIGN(Gate started, Gate::start({model_folder_,
                                          robust_.public_text,
                                          {lora.rank, lora.alpha, lora.targets},
                                          plan_.training.window,
                                          robust_.margin,
                                          shared_.trainer}));
    gate_.emplace(std::move(started));
  }
  TRY_ASSIGN(std::vector<float> current, adapter());
  TRY_ASSIGN(std::vector<float> next, load_floats(adapters_, candidate_->adapter, layout_.size));
  return gate_->ask(std::move(current), std::move(next));
}

void CampaignRun::retry_gate(const Error& error, Instant now) {
  log::error("round {}: {}; tried again in {} s", candidate_->round.value, error.what,
             limits::kRetryMs / 1000);
  gate_.reset();
  candidate_.reset();
  sum_again_at_ = now + limits::kRetryMs;
}

Result<void> CampaignRun::look_at_gate(Instant now) {
  if (!gate_ || !candidate_) return {};
  auto answer = gate_->poll();
  if (!answer) {
    retry_gate(answer.error(), now);
    return {};
  }
  if (!*answer) return {};
  if ((*answer)->passes) return publish_candidate(now);
  std::string why =
      fmt::format("round {} is held back: {:.4f} bits per byte on public text, {:.4f} before it",
                  candidate_->round.value, (*answer)->candidate, (*answer)->before);
  log::warning("{}", why);
  pending_.push_back(campaign::HeldBack{candidate_->round, std::move(why), now});
  candidate_.reset();
  owed_.reset();
  owed_groups_.reset();
  return {};
}

// ---- versions

// After every event that may have made one.
void CampaignRun::look_after_versions(VersionId before, Instant now) {
  if (state_.version == before) return;
  events_->add(state_.published);
  if (!tidy_up_at_) tidy_up_at_ = now + kTidyUpMs;
}

// What only earlier versions needed goes, once nodes have had the time to fetch the new one.
Result<void> CampaignRun::tidy_up() {
  tidy_up_at_.reset();
  TRY(snapshot());
  crash_point("version snapshot");
  if (state_.version.value > 0)
    TRY(drop_moments_before(folder_ / "moments", {state_.version.value - 1}));
  return sweep_adapters();
}

// Not before the audit log has what the snapshot drops.
Result<void> CampaignRun::snapshot() {
  if (audit_behind_) return {};
  auto written = journal_->write_snapshot(campaign::encode(state_));
  if (written) oldest_entry_ = next_entry_;
  if (written || written.error().code != Code::kNoSpace) return written;
  log::warning("no snapshot of the journal: {}", written.error().what);
  return {};
}

Result<void> CampaignRun::sweep_adapters() {
  const std::vector<Digest> list = campaign::wanted_adapters(state_);
  return sweep_folder("adapters", {list.begin(), list.end()});
}

Result<void> CampaignRun::roll_back(VersionId to, Instant now) {
  if (plan_.logits.on)
    return fail(Code::kRefused, "a campaign of logits has no versions to go back to");
  if (campaign::is_over(state_))
    return fail(Code::kRefused, "its rounds are over; what it published stays as it is");
  const campaign::Published* found = campaign::find(state_, to);
  if (found == nullptr)
    return fail(Code::kBadInput,
                fmt::format("version {} is not kept: versions {} to {} are", to.value,
                            state_.published.front().version.value, state_.version.value));
  Digest adapter = found->adapter;
  if (state_.rules.masked) {
    TRY_ASSIGN(std::vector<float> values, load_floats(adapters_, adapter, layout_.size));
    TRY_ASSIGN(adapter,
               store_floats(adapters_, told_apart(std::move(values), {state_.version.value + 1})));
  }
  log::warning("the operator goes back to version {}, as version {}", to.value,
               state_.version.value + 1);
  if (full_until_) return fail(Code::kNoSpace, "the disk is full: free some space and ask again");
  TRY(feed(campaign::RolledBack{to, adapter, now}, now));
  return commit(now);
}

}  // namespace freshet
