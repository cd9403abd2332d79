#include "cli/demo/auditor.h"

#include <fmt/core.h>

#include "base/json.h"
#include "cli/demo/settings.h"

namespace freshet::demo {
namespace {

constexpr std::size_t kAuditorTogether = 2;

std::vector<std::string> question(const AuditPlan& plan, const Path& folder, const Path& adapter) {
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
  if (!adapter.empty()) words.insert(words.end(), {"--adapter", adapter});
  return words;
}

Result<double> bits_per_byte(const std::string& answer) {
  constexpr std::string_view kSource = "the answer of `freshet model eval`";
  TRY_ASSIGN(Json json, parse_json(answer, kSource));
  return json_get<double>(json, "bits_per_byte", kSource);
}

}  // namespace

Result<CloudFigures> audit_cloud_model(Stage& stage, const AuditPlan& plan) {
  std::vector<std::vector<std::string>> questions;
  const Path adapters[] = {{}, plan.public_only_adapter, plan.adapter};
  for (const Path& adapter : adapters)
    for (const Path& folder : plan.folders) questions.push_back(question(plan, folder, adapter));
  TRY_ASSIGN(auto answers, stage.ask_all("auditor", questions, kAuditorTogether));
  std::vector<Figure> means;
  for (std::size_t first = 0; first < answers.size(); first += plan.folders.size()) {
    std::vector<Figure> figures;
    for (std::size_t i = first; i < first + plan.folders.size(); ++i) {
      TRY_ASSIGN(double figure, bits_per_byte(answers[i]));
      figures.push_back(figure);
    }
    means.push_back(mean_of(figures));
  }
  return CloudFigures{means[0], means[1], means[2]};
}

}  // namespace freshet::demo
