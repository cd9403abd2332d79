// A node in a campaign of logits: tunes its own model, answers the question with it, and keeps the
// answer as a contribution like any other. Nothing of the model leaves the node.

#include <algorithm>
#include <cmath>

#include "aggregation/clip.h"
#include "base/log.h"
#include "edge_node/driver.h"

namespace freshet {

AdapterSpec Node::own_spec() const {
  const LoraPlan& lora = campaign_->plan.lora;
  if (options_.own_rank == 0) return {lora.rank, lora.alpha, lora.targets};
  const float scale = lora.alpha / static_cast<float>(lora.rank);
  return {options_.own_rank, scale * static_cast<float>(options_.own_rank), lora.targets};
}

Path Node::question_file() const {
  return options_.folder / "adapters" / to_hex(campaign_->plan.logits.question);
}

// What tuning was good for: version 0 is the model as it was, 1 the tuned one.
void Node::evaluate_own(const session::Base& base, std::vector<float> adapter) {
  if (memory_.evaluated && *memory_.evaluated >= base.version.value) return;
  EvaluateJob job{own_spec(), std::move(adapter), campaign_->plan.training.window,
                  options_.eval_tokens};
  jobs_[learner_.submit(std::move(job))] = {Purpose::kEvaluateOwn, base};
}

Result<void> Node::start_answering(const session::Base& base, Instant now) {
  FinetunePlan plan = finetune_plan(base.version);
  plan.adapter = own_spec();
  plan.train_a = plan.train_b = true;
  plan.train_core = false;
  if (auto layout = adapter_layout(config_, plan.adapter); !layout) {
    problem_ = "this node's own model: " + layout.error().what;
    log::error("{}", problem_);
    return feed(session::TrainerFailed{base.version, now}, now);
  }
  evaluate_own(base, {});
  jobs_[learner_.submit(FinetuneJob{std::move(plan), {}})] = {Purpose::kTrain, base};
  return {};
}

void Node::ask_trainer(const session::Base& base, const Finetuned& finetuned) {
  const LogitsPlan& logits = campaign_->plan.logits;
  AnswerJob job{question_file(),
                own_spec(),
                finetuned.adapter,
                {logits.temperature, logits.slope, logits.full}};
  jobs_[learner_.submit(std::move(job))] = {Purpose::kAnswer, base};
  session::Base tuned = base;
  tuned.version.value += 1;
  evaluate_own(tuned, finetuned.adapter);
}

Result<session::Contribution> Node::keep_answer(const session::Base& base,
                                                std::vector<float> values) {
  if (values.size() != campaign_->layout.size)
    return fail(Code::kBadInput, "the trainer answered another number of candidates than asked");
  double said = 0;
  for (const float value : values) said += static_cast<double>(value);
  log::info("answered the question: heard in {:.1f} % of its {} rows",
            100 * said / campaign_->plan.logits.rows, campaign_->plan.logits.rows);
  TRY_ASSIGN(Clipped clipped, clip(Update{std::move(values), 1}, campaign_->plan.clip));
  return contributions_.put(base, clipped.update);
}

}  // namespace freshet
