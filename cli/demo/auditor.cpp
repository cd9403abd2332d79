#include "cli/demo/auditor.h"

#include <fmt/core.h>

#include "base/json.h"

namespace freshet::demo {
namespace {

constexpr std::size_t kAuditorTogether = 2;

struct Variant {  // of the cloud model
  Path adapter;
  bool proxy = false;
};

std::vector<std::string> question(const AuditPlan& plan, const Path& folder,
                                  const Variant& variant) {
  std::vector<std::string> words = {"model",
                                    "eval",
                                    plan.llm,
                                    "--data",
                                    folder,
                                    "--heldout",
                                    fmt::format("{}", kHeldoutShare),
                                    "--window",
                                    std::to_string(plan.window),
                                    "--threads",
                                    "1",
                                    "--json"};
  if (!variant.adapter.empty()) words.insert(words.end(), {"--adapter", variant.adapter});
  if (variant.proxy)
    words.insert(words.end(), {"--proxy-base", plan.proxy_base, "--proxy-tuned", plan.proxy_tuned,
                               "--proxy-weight", fmt::format("{}", plan.proxy_weight)});
  return words;
}

Result<double> bits_per_byte(const std::string& answer) {
  constexpr std::string_view kSource = "the answer of `freshet model eval`";
  TRY_ASSIGN(Json json, parse_json(answer, kSource));
  return json_get<double>(json, "bits_per_byte", kSource);
}

}  // namespace

Result<void> start_oracle(Stage& stage, const OraclePlan& plan) {
  const Settings& settings = plan.settings;
  const auto text = [](auto value) { return fmt::format("{}", value); };
  return stage.start("oracle",
                     {"model",
                      "finetune",
                      plan.llm,
                      "--data",
                      plan.data,
                      "--out",
                      plan.out,
                      "--heldout",
                      text(kHeldoutShare),
                      "--rank",
                      text(settings.lora_rank),
                      "--alpha",
                      text(settings.lora_alpha),
                      "--steps",
                      text(settings.oracle_steps),
                      "--batch",
                      text(settings.teach_batch),
                      "--window",
                      text(settings.window),
                      "--lr",
                      text(settings.teach_lr),
                      "--schedule",
                      "cosine",
                      "--warmup",
                      "10",
                      "--threads",
                      "1",
                      "--json"},
                     {.may_end = true});
}

Result<std::vector<CloudFigures>> audit_cloud_model(Stage& stage, const AuditPlan& plan) {
  const Variant variants[] = {
      {{}}, {plan.public_only_adapter}, {plan.adapter, true}, {plan.oracle}};
  std::vector<std::vector<std::string>> questions;
  for (const Path& folder : plan.folders)
    for (const Variant& variant : variants) questions.push_back(question(plan, folder, variant));
  TRY_ASSIGN(auto answers, stage.ask_all("auditor", questions, kAuditorTogether));
  std::vector<CloudFigures> by_folder;
  for (std::size_t at = 0; at < answers.size(); at += std::size(variants)) {
    CloudFigures figures;
    Figure* const into[] = {&figures.before, &figures.public_only, &figures.after, &figures.oracle};
    for (std::size_t i = 0; i < std::size(variants); ++i) {
      TRY_ASSIGN(*into[i], bits_per_byte(answers[at + i]));
    }
    by_folder.push_back(figures);
  }
  return by_folder;
}

CloudFigures mean_of(const std::vector<CloudFigures>& figures) {
  const auto mean = [&](Figure CloudFigures::*member) {
    std::vector<Figure> all;
    for (const CloudFigures& each : figures) all.push_back(each.*member);
    return mean_of(all);
  };
  return {mean(&CloudFigures::before), mean(&CloudFigures::public_only), mean(&CloudFigures::after),
          mean(&CloudFigures::oracle)};
}

}  // namespace freshet::demo
