#include "cli/demo/campaign.h"

namespace freshet::demo {

CampaignFile demo_campaign(const Settings& settings, const CampaignChoices& choices) {
  CampaignFile file;
  file.model = choices.slm.string();
  CampaignPlan& plan = file.plan;
  plan.name = "demo";
  plan.mode = choices.mode;
  plan.method = choices.method;
  plan.rule = choices.rule;
  plan.rounds = settings.rounds;
  plan.cohort_min = plan.cohort_max = choices.nodes;  // every node in every round
  plan.survivors_min = choices.mode == Mode::kMasked ? 1 : choices.nodes;  // masks have their own
  plan.lora.rank = settings.lora_rank;
  plan.lora.alpha = settings.lora_alpha;
  plan.lora.seed = choices.seed;
  plan.training.steps = settings.local_steps;
  plan.training.batch = settings.local_batch;
  plan.training.window = settings.window;
  plan.training.lr = settings.local_lr;
  plan.training.seed = choices.seed;
  AdaptPlan& adapt = file.adapt;
  adapt.enabled = true;
  adapt.llm = choices.llm.string();
  adapt.public_text = choices.public_text.string();
  adapt.rank = settings.lora_rank;
  adapt.alpha = settings.lora_alpha;
  adapt.ways = {Way::kGenerate, Way::kDistill, Way::kProxy};
  adapt.steps = settings.teach_steps;
  adapt.batch = settings.teach_batch;
  adapt.written_sequences = settings.written_sequences;
  adapt.public_sequences = 2 * settings.written_sequences;
  adapt.own_sequences = settings.written_sequences / 4;
  adapt.proxy_weight = settings.proxy_weight;
  adapt.window = settings.window;
  adapt.lr = settings.teach_lr;
  adapt.weight = adapt.weight_end = settings.teacher_weight;
  adapt.seed = choices.seed;
  return file;
}

}  // namespace freshet::demo
