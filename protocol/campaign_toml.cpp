#include <fmt/core.h>
#include <fmt/format.h>

#include "protocol/campaign_file.h"

namespace freshet {
namespace {

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      result += fmt::format("\\{}", c);
    else if (byte < 0x20 || byte == 0x7f)
      result += fmt::format("\\u{:04x}", byte);
    else
      result += c;
  }
  return result + "\"";
}

std::string quoted(const std::vector<std::string>& texts) {
  std::string result;
  for (const auto& text : texts) result += (result.empty() ? "" : ", ") + quoted(text);
  return "[" + result + "]";
}

std::string lines(const Sgd& rule) { return fmt::format("lr = {}\n", rule.lr); }
std::string lines(const Momentum& rule) {
  return fmt::format("lr = {}\nbeta = {}\n", rule.lr, rule.beta);
}
template <class Adaptive>
std::string lines(const Adaptive& rule) {
  return fmt::format("lr = {}\nbeta1 = {}\nbeta2 = {}\ntau = {}\n", rule.lr, rule.beta1, rule.beta2,
                     rule.tau);
}

std::string section(const MaskingPlan& masking) {
  const auto text = [](const Fraction& f) { return fmt::format("\"{}/{}\"", f.part, f.whole); };
  return fmt::format(
      "\n[masking]\nhonest_min = {}\ncorrupt = {}\ndropped = {}\nnewcomers = {}\nphase_ms = {}\n",
      masking.honest_min, text(masking.corrupt), text(masking.dropped), text(masking.newcomers),
      masking.phase_ms);
}

std::string section(const PrivacyPlan& privacy) {
  return fmt::format(
      "\n[privacy]\nepsilon = {}\ndelta = {}\nnoise_multiplier = {}\nsampling_rate = {}\n"
      "honest_min = {}\nadaptive_clip = {}\nclip_quantile = {}\nclip_rate = {}\n",
      privacy.epsilon, privacy.delta, privacy.noise_multiplier, privacy.sampling_rate,
      privacy.honest_min, privacy.adaptive_clip, privacy.clip_quantile, privacy.clip_rate);
}

std::string section(const LogitsPlan& logits) {
  return fmt::format(
      "\n[logits]\nquestion = \"{}\"\nrows = {}\ncandidates = {}\ntemperature = {}\n"
      "confidence_slope = {}\nconfidence_full = {}\n",
      to_hex(logits.question), logits.rows, logits.candidates, logits.temperature, logits.slope,
      logits.full);
}

std::string lines(const TrimmedMean& rule) { return fmt::format("trim = {}\n", rule.trim); }
std::string lines(const Krum& rule) { return fmt::format("byzantine = {}\n", rule.byzantine); }
std::string lines(const MultiKrum& rule) {
  return fmt::format("byzantine = {}\nkeep = {}\n", rule.byzantine, rule.keep);
}
std::string lines(const Bulyan& rule) { return fmt::format("byzantine = {}\n", rule.byzantine); }
std::string lines(const GeometricMedian& rule) {
  return fmt::format("passes = {}\nfloor = {}\n", rule.passes, rule.floor);
}
std::string lines(const Mean&) { return {}; }
std::string lines(const Median&) { return {}; }

std::string section(const RobustPlan& robust) {
  return fmt::format(
             "\n[robust]\nrule = {}\ngroups = {}\npoisoned = {}\npublic_text = {}\nmargin = {}\n",
             quoted(name_of(robust.rule)), robust.groups, robust.poisoned,
             quoted(robust.public_text), robust.margin) +
         std::visit([](const auto& rule) { return lines(rule); }, robust.rule);
}

std::string section(const AdaptPlan& adapt) {
  std::vector<std::string> ways;
  for (const Way way : adapt.ways) ways.emplace_back(name_of(way));
  return fmt::format(
             "\n[adapt]\nways = {}\nquestion = {}\nsilence = {}\nsharpen = {}\nkeeping = "
             "{}\npublic_sequences = {}\nwritten_sequences = {}\n"
             "own_sequences = {}\nproxy_weight = {}\n",
             quoted(ways), quoted(adapt.question), adapt.silence, adapt.sharpen, adapt.keeping,
             adapt.public_sequences, adapt.written_sequences, adapt.own_sequences,
             adapt.proxy_weight) +
         fmt::format(
             "enabled = {}\nllm = {}\npublic_text = {}\nrank = {}\nalpha = {}\nsteps = {}\n"
             "batch = {}\nwindow = {}\ntop_k = {}\nlr = {}\ntemperature = {}\nweight = {}\n"
             "weight_end = {}\nshift = {}\nseed = {}\n",
             adapt.enabled, quoted(adapt.llm), quoted(adapt.public_text), adapt.rank, adapt.alpha,
             adapt.steps, adapt.batch, adapt.window, adapt.top_k, adapt.lr, adapt.temperature,
             adapt.weight, adapt.weight_end, adapt.shift, adapt.seed);
}

}  // namespace

std::string to_toml(const CampaignFile& file) {
  const CampaignPlan& plan = file.plan;
  std::string toml = fmt::format(
      "[campaign]\nname = {}\nmodel = {}\nmode = {}\nmethod = {}\nrule = {}\nrounds = {}\n",
      quoted(plan.name), quoted(file.model), quoted(name_of(plan.mode)),
      quoted(name_of(plan.method)), quoted(name_of(plan.rule)), plan.rounds);
  toml += fmt::format(
      "\n[cohort]\nmin = {}\nmax = {}\nsurvivors_min = {}\nready_ms = {}\nround_ms = {}\n",
      plan.cohort_min, plan.cohort_max, plan.survivors_min, plan.ready_ms, plan.round_ms);
  toml += fmt::format("\n[lora]\nrank = {}\nalpha = {}\ntargets = {}\nseed = {}\n", plan.lora.rank,
                      plan.lora.alpha, quoted(plan.lora.targets), plan.lora.seed);
  toml += fmt::format("\n[training]\nsteps = {}\nbatch = {}\nwindow = {}\nlr = {}\nseed = {}\n",
                      plan.training.steps, plan.training.batch, plan.training.window,
                      plan.training.lr, plan.training.seed);
  toml += fmt::format("\n[update]\nclip = {}\nrange = {}\nbits = {}\nweight_max = {}\n", plan.clip,
                      plan.grid.range, plan.grid.bits, plan.grid.weight_max);
  if (plan.mode == Mode::kMasked) toml += section(plan.masking);
  if (plan.privacy.on) toml += section(plan.privacy);
  if (plan.examples.on())
    toml += fmt::format("\n[examples]\nnoise_multiplier = {}\nclip = {}\n",
                        plan.examples.noise_multiplier, plan.examples.clip);
  if (plan.evaluation) toml += "\n[evaluation]\ntotals = true\n";
  toml += "\n[server]\n" + std::visit([](const auto& rule) { return lines(rule); }, plan.rule);
  if (file.adapt != AdaptPlan{}) toml += section(file.adapt);
  if (plan.logits.on) toml += section(plan.logits);
  if (file.robust != RobustPlan{}) toml += section(file.robust);
  return toml;
}

}  // namespace freshet
