// The end of a campaign on a node: the last evaluation, training at home alone where it was asked
// for, the report.

#include <fmt/format.h>

#include "base/log.h"
#include "edge_node/driver.h"

namespace freshet {
namespace {

constexpr int kEndingFailuresMax = 5;

}  // namespace

Result<void> Node::begin_ending(VersionId version, const Digest& adapter, bool complete) {
  ending_ = Ending{};
  ending_->version = version;
  ending_->adapter = adapter;
  ending_->complete = complete;
  // A campaign that ended early leaves what was evaluated last.
  const bool own = campaign_->plan.logits.on;  // nothing came that could be evaluated
  ending_->evaluated =
      own || !complete || (memory_.evaluated && *memory_.evaluated >= version.value);
  for (const auto& [id, purpose] : jobs_)
    if (purpose.kind == Purpose::kTrain) learner_.cancel(id, clock_.now());
  std::erase_if(jobs_, [](const auto& each) { return each.second.kind == Purpose::kTrain; });
  if (complete && options_.baseline && !own)
    ending_->alone = initial_adapter(campaign_->layout, campaign_->plan.lora.seed);
  return {};
}

// Gives the trainer the next thing of the ending, once it has nothing else to do.
Result<void> Node::go_on_ending(Instant now) {
  if (!ending_ || !jobs_.empty()) return {};
  const CampaignPlan& plan = campaign_->plan;
  const bool gave_up = ending_->failures >= kEndingFailuresMax;
  if (!ending_->evaluated)
    ending_->evaluated = memory_.evaluated && *memory_.evaluated >= ending_->version.value;
  if (!gave_up && !ending_->evaluated) {
    ++ending_->failures;  // bounds the tries
    evaluate({campaign_->id, ending_->version, ending_->adapter, 0});
    return {};
  }
  const bool alone =
      ending_->complete && options_.baseline && !ending_->local_only && !campaign_->plan.logits.on;
  if (gave_up || !alone) return write_report(now);
  const session::Base base{campaign_->id, {ending_->baseline_round}, {}, 0};
  if (ending_->baseline_round < plan.rounds) {
    jobs_[learner_.submit(FinetuneJob{finetune_plan(base.version), ending_->alone})] = {
        Purpose::kBaselineTrain, base};
  } else {
    const AdapterSpec spec{plan.lora.rank, plan.lora.alpha, plan.lora.targets};
    EvaluateJob job{spec, ending_->alone, plan.training.window, options_.eval_tokens};
    jobs_[learner_.submit(std::move(job))] = {Purpose::kBaselineEvaluate, base};
  }
  return {};
}

void Node::ending_job_done(const Purpose& purpose, JobDone done) {
  if (!ending_) return;
  if (const auto* error = std::get_if<Error>(&done.result)) {
    ++ending_->failures;
    log::warning("training at home alone: {}", error->what);
    return;
  }
  ending_->failures = 0;
  if (auto* finetuned = std::get_if<Finetuned>(&done.result);
      finetuned != nullptr && purpose.kind == Purpose::kBaselineTrain) {
    ending_->alone = std::move(finetuned->adapter);
    ++ending_->baseline_round;
  }
  if (const auto* evaluation = std::get_if<Evaluation>(&done.result))
    ending_->local_only = evaluation->bits_per_byte();
}

Result<void> Node::write_report(Instant now) {
  memory_.reported = true;
  save_memory(now);
  Report report;
  if (learner_.text()) {
    report.train_bytes = learner_.text()->train_bytes;
    report.heldout_bytes = learner_.text()->heldout_bytes;
  }
  report.local_only = ending_->local_only;
  report.version = ending_->version;
  TRY(records_.write_report(memory_, report));
  auto shown = [](const std::optional<double>& bpb) {
    return bpb ? fmt::format("{:.3f}", *bpb) : std::string("-");
  };
  log::info("campaign \"{}\" is over: held-out bits per byte {} before, {} after{}", memory_.name,
            shown(memory_.bpb_before), shown(memory_.bpb_now),
            report.local_only ? ", " + shown(report.local_only) + " at home alone" : "");
  incomplete_ = !ending_->complete;
  reported_ = true;
  ending_.reset();
  learner_.rest();
  return {};
}

}  // namespace freshet
