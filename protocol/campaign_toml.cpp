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

std::string section(const AdaptPlan& adapt) {
  return fmt::format(
      "\n[adapt]\nenabled = {}\nllm = {}\npublic_text = {}\nrank = {}\nalpha = {}\nsteps = {}\n"
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
  toml += "\n[server]\n" + std::visit([](const auto& rule) { return lines(rule); }, plan.rule);
  if (file.adapt != AdaptPlan{}) toml += section(file.adapt);
  return toml;
}

}  // namespace freshet
