#include "protocol/campaign_file.h"

#include <fmt/core.h>
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

#include "base/limits.h"
#include "protocol/bounds.h"
#include "protocol/toml_section.h"

namespace freshet {
namespace {

using toml_file::Document;
using toml_file::fraction_named;
using toml_file::Section;

constexpr float kProxyAlone = 1;  // where it is not on top of a model that was trained on lessons

Result<void> read_campaign(const Document& document, CampaignFile& file) {
  Section section = document.section("campaign");
  section.text("name", file.plan.name);
  section.text("model", file.model);
  file.plan.mode = Mode::kMasked;  // nobody gets a trusted coordinator unknowingly
  section.choice("mode", file.plan.mode, mode_named);
  if (document.section("privacy").is_there()) file.plan.method = Method::kFedsvd;
  section.choice("method", file.plan.method, method_named);
  section.choice("rule", file.plan.rule, server_rule_named);
  section.whole("rounds", file.plan.rounds);
  section.require("name", "write name = \"...\", for people to know it by");
  section.require("model", "write model = \"FOLDER\", the small model that the nodes train");
  return section.finish();
}

Result<void> read_masking(const Document& document, MaskingPlan& masking) {
  Section section = document.section("masking");
  section.whole("honest_min", masking.honest_min);
  section.choice("corrupt", masking.corrupt, fraction_named);
  section.choice("dropped", masking.dropped, fraction_named);
  section.choice("newcomers", masking.newcomers, fraction_named);
  section.whole("phase_ms", masking.phase_ms);
  return section.finish();
}

Result<void> read_privacy(const Document& document, PrivacyPlan& privacy) {
  Section section = document.section("privacy");
  privacy.on = section.is_there();
  section.flag("on", privacy.on);
  section.real("epsilon", privacy.epsilon);
  section.real("delta", privacy.delta);
  section.real("noise_multiplier", privacy.noise_multiplier);
  section.real("sampling_rate", privacy.sampling_rate);
  section.whole("honest_min", privacy.honest_min);
  section.flag("adaptive_clip", privacy.adaptive_clip);
  section.real("clip_quantile", privacy.clip_quantile);
  section.real("clip_rate", privacy.clip_rate);
  return section.finish();
}

Result<void> read_examples(const Document& document, ExamplesPlan& examples) {
  Section section = document.section("examples");
  section.real("noise_multiplier", examples.noise_multiplier);
  section.real("clip", examples.clip);
  if (!section.is_there()) return section.finish();
  section.require("noise_multiplier", "write noise_multiplier = 1, the noise of a step over clip");
  TRY(section.finish());
  return above_zero(fmt::format("{}: [examples] noise_multiplier", document.source),
                    examples.noise_multiplier);
}

Result<void> read_evaluation(const Document& document, CampaignPlan& plan) {
  Section section = document.section("evaluation");
  section.flag("totals", plan.evaluation);
  return section.finish();
}

// Where a file says nothing: the smallest cohort that gives what [masking] asks for.
std::uint32_t smallest_masked_cohort(const CampaignPlan& plan) {
  const Fraction& corrupt = plan.masking.corrupt;
  if (corrupt.whole == 0 || corrupt.part > corrupt.whole) return plan.cohort_min;  // refused soon
  std::uint32_t n = 1;
  while (n < limits::kMaskedCohortMax && survivors_needed(plan, n) > n) ++n;
  return n;
}

Result<void> read_cohort(const Document& document, CampaignPlan& plan) {
  Section section = document.section("cohort");
  if (plan.mode == Mode::kMasked) plan.cohort_min = smallest_masked_cohort(plan);
  section.whole("min", plan.cohort_min);
  section.whole("max", plan.cohort_max);
  plan.survivors_min = std::min(plan.survivors_min, plan.cohort_min);
  section.whole("survivors_min", plan.survivors_min);
  section.whole("ready_ms", plan.ready_ms);
  section.whole("round_ms", plan.round_ms);
  return section.finish();
}

Result<void> read_lora(const Document& document, LoraPlan& lora) {
  Section section = document.section("lora");
  section.whole("rank", lora.rank);
  section.real("alpha", lora.alpha);
  section.texts("targets", lora.targets);
  section.whole("seed", lora.seed);
  return section.finish();
}

Result<void> read_training(const Document& document, LocalTraining& training) {
  Section section = document.section("training");
  section.whole("steps", training.steps);
  section.whole("batch", training.batch);
  section.whole("window", training.window);
  section.real("lr", training.lr);
  section.whole("seed", training.seed);
  return section.finish();
}

Result<void> read_update(const Document& document, CampaignPlan& plan) {
  Section section = document.section("update");
  section.real("clip", plan.clip);
  plan.grid.range = default_range(plan.clip);
  section.real("range", plan.grid.range);
  section.whole("bits", plan.grid.bits);
  section.whole("weight_max", plan.grid.weight_max);
  return section.finish();
}

void read_rule(Section& section, Sgd& rule) { section.real("lr", rule.lr); }
void read_rule(Section& section, Momentum& rule) {
  section.real("lr", rule.lr);
  section.real("beta", rule.beta);
}
template <class Adaptive>
void read_rule(Section& section, Adaptive& rule) {
  section.real("lr", rule.lr);
  section.real("beta1", rule.beta1);
  section.real("beta2", rule.beta2);
  section.real("tau", rule.tau);
}

Result<void> read_server(const Document& document, ServerRule& rule) {
  Section section = document.section("server");
  std::visit([&](auto& chosen) { read_rule(section, chosen); }, rule);
  auto result = section.finish();
  if (!result) result.error().what += fmt::format(" (the rule is {})", name_of(rule));
  return result;
}

Result<void> read_adapt(const Document& document, AdaptPlan& adapt) {
  Section section = document.section("adapt");
  adapt.enabled = section.is_there();
  section.flag("enabled", adapt.enabled);
  section.text("llm", adapt.llm);
  section.text("public_text", adapt.public_text);
  section.whole("rank", adapt.rank);
  section.real("alpha", adapt.alpha);
  section.whole("steps", adapt.steps);
  section.whole("batch", adapt.batch);
  section.whole("window", adapt.window);
  section.whole("top_k", adapt.top_k);
  section.real("lr", adapt.lr);
  section.real("temperature", adapt.temperature);
  section.real("weight", adapt.weight);
  adapt.weight_end = adapt.weight;
  section.real("weight_end", adapt.weight_end);
  section.flag("shift", adapt.shift);
  section.whole("seed", adapt.seed);
  section.choices("ways", adapt.ways, way_named);
  adapt.keeping = std::clamp(adapt.keeping, 0, std::max(0, adapt.batch - 1));
  section.whole("keeping", adapt.keeping);
  section.whole("public_sequences", adapt.public_sequences);
  section.whole("written_sequences", adapt.written_sequences);
  section.whole("own_sequences", adapt.own_sequences);
  if (!trains(adapt)) adapt.proxy_weight = kProxyAlone;
  section.real("proxy_weight", adapt.proxy_weight);
  section.text("question", adapt.question);
  section.real("silence", adapt.silence);
  section.real("sharpen", adapt.sharpen);
  if (adapt.enabled && has(adapt, Way::kLogits))
    section.require("question",
                    "write question = \"FILE\", as `freshet model question FILE` makes it");
  if (adapt.enabled) {
    section.require("llm", "write llm = \"FOLDER\", the cloud model that learns");
    if (has(adapt, Way::kDistill))
      section.require("public_text", "write public_text = \"FOLDER\", text that no node holds");
  }
  return section.finish();
}

// What the question settles stands here once the campaign was submitted.
Result<void> read_logits(const Document& document, CampaignFile& file) {
  LogitsPlan& logits = file.plan.logits;
  Section section = document.section("logits");
  section.real("temperature", logits.temperature);
  section.real("confidence_slope", logits.slope);
  section.real("confidence_full", logits.full);
  section.choice("question", logits.question, digest_from_hex);
  section.whole("rows", logits.rows);
  section.whole("candidates", logits.candidates);
  TRY(section.finish());
  logits.on = section.has("question");
  if (!file.adapt.enabled || !has(file.adapt, Way::kLogits)) {
    if (!section.is_there()) return {};
    return fail(Code::kBadInput,
                fmt::format("{}: [logits] is for campaigns whose [adapt] ways is [\"logits\"]",
                            document.source));
  }
  if (!document.section("campaign").has("rounds")) file.plan.rounds = 1;
  return {};
}

void read_rule(Section& section, TrimmedMean& rule) { section.whole("trim", rule.trim); }
void read_rule(Section& section, Krum& rule) { section.whole("byzantine", rule.byzantine); }
void read_rule(Section& section, MultiKrum& rule) {
  section.whole("byzantine", rule.byzantine);
  section.whole("keep", rule.keep);
}
void read_rule(Section& section, Bulyan& rule) { section.whole("byzantine", rule.byzantine); }
void read_rule(Section& section, GeometricMedian& rule) {
  section.whole("passes", rule.passes);
  section.real("floor", rule.floor);
}
void read_rule(Section&, Mean&) {}
void read_rule(Section&, Median&) {}

Result<void> read_robust(const Document& document, RobustPlan& robust) {
  Section section = document.section("robust");
  section.choice("rule", robust.rule, robust_rule_named);
  std::visit([&](auto& chosen) { read_rule(section, chosen); }, robust.rule);
  section.whole("groups", robust.groups);
  section.whole("poisoned", robust.poisoned);
  section.text("public_text", robust.public_text);
  section.real("margin", robust.margin);
  auto result = section.finish();
  if (!result) result.error().what += fmt::format(" (the rule is {})", name_of(robust.rule));
  return result;
}

Result<CampaignFile> read_document(const Document& document) {
  CampaignFile file;
  TRY(document.check_sections({"campaign", "cohort", "lora", "training", "update", "server",
                               "adapt", "logits", "robust", "masking", "privacy", "examples",
                               "evaluation"}));
  TRY(read_campaign(document, file));
  TRY(read_masking(document, file.plan.masking));
  TRY(read_privacy(document, file.plan.privacy));
  TRY(read_examples(document, file.plan.examples));
  TRY(read_evaluation(document, file.plan));
  TRY(read_cohort(document, file.plan));
  TRY(read_lora(document, file.plan.lora));
  TRY(read_training(document, file.plan.training));
  TRY(read_update(document, file.plan));
  TRY(read_server(document, file.plan.rule));
  TRY(read_adapt(document, file.adapt));
  TRY(read_logits(document, file));
  TRY(read_robust(document, file.robust));
  if (auto valid = validate(file.plan); !valid) return fail_in(document.source, valid.error());
  if (auto valid = validate(file.adapt); !valid) return fail_in(document.source, valid.error());
  if (auto valid = validate(file.robust, file.plan); !valid)
    return fail_in(document.source, valid.error());
  return file;
}

}  // namespace

Result<CampaignFile> parse_campaign_file(std::string_view toml, std::string_view source) {
  if (toml.size() > limits::kCampaignFileBytesMax)
    return fail(Code::kBadInput, fmt::format("{}: {} bytes, where a campaign file has at most {}",
                                             source, toml.size(), limits::kCampaignFileBytesMax));
  try {
    const toml::table root = toml::parse(toml, source);
    return read_document({root, source});
  } catch (const toml::parse_error& error) {
    return fail(Code::kBadInput,
                fmt::format("{}:{}: {}", source, error.source().begin.line, error.description()));
  }
}

}  // namespace freshet
