#include "edge_node/example_ledger.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/fields.h"
#include "crypto/digest.h"
#include "crypto/keyed_rng.h"

namespace freshet {
namespace {

static_assert(ExamplesPlan::kNoiseMax == ExampleNoise::kMultiplierMax);

Digest name_of_training(const ExampleLedger::Training& training, const Digest& text) {
  FieldWriter name;
  name.number(training.campaign.value).number(training.version.value);
  name.fixed(plan_digest(training.plan)).fixed(training.adapter).fixed(text);
  return digest_of("freshet/example-round/v1", name.view());
}

}  // namespace

Result<ExampleNoise> ExampleLedger::charge(const Training& training, const TextOpened& text,
                                           const Secret& storage) {
  const CampaignPlan& plan = training.plan;
  CHECK(plan.examples.on(), "a training of campaign {} without noise", training.campaign.value);
  const auto batch = static_cast<std::uint64_t>(plan.training.batch);
  if (text.train_examples < batch)
    return fail(Code::kBadInput,
                fmt::format("its plan draws {} examples a step, the text here has {}: give this "
                            "node more text",
                            batch, text.train_examples));
  if (!ledger_) {
    TRY_ASSIGN(LedgerFile opened, LedgerFile::open(file_, Ledger::Owner::kExamples, budget_));
    ledger_.emplace(std::move(opened));
  }
  Charge charge;
  charge.sid = name_of_training(training, text.train_text);
  charge.campaign = training.campaign;
  charge.round = {training.version.value};
  charge.multiplier = plan.examples.noise_multiplier;
  charge.sampling_rate = static_cast<double>(batch) / static_cast<double>(text.train_examples);
  charge.sensitivity = static_cast<double>(plan.examples.clip);
  charge.entries = training.entries;
  charge.times = static_cast<std::uint64_t>(plan.training.steps);
  TRY_ASSIGN(const Spent spent, ledger_->charge(charge));
  epsilon_ = spent.epsilon;

  ExampleNoise noise{plan.examples.noise_multiplier, plan.examples.clip, text.train_text, {}};
  KeyedRng rng(storage, "freshet/example-key/v1", training.campaign, training.version);
  for (std::uint8_t& byte : noise.key) byte = static_cast<std::uint8_t>(rng.next_u32());
  return noise;
}

}  // namespace freshet
