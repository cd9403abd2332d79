#include "simulations/adapt/experiment_folder.h"

#include <fmt/core.h>

#include <cstring>
#include <exception>

#include "base/json.h"
#include "base/limits.h"
#include "crypto/digest.h"

namespace freshet {
namespace {

std::string said(const CampaignPlan& plan) {
  const auto* rule = std::get_if<Momentum>(&plan.rule);
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {};", name_of(plan.method), plan.rounds,
                     plan.lora.rank, plan.lora.alpha, plan.lora.seed, plan.training.steps,
                     plan.training.batch, plan.training.lr, plan.clip, rule ? rule->lr : -1,
                     rule ? rule->beta : -1);
}

// Every choice in words; what is not in them does not change what is found.
std::string said(const AdaptRecipe& recipe) {
  std::string text = said(recipe.campaign) + said(recipe.of_llm);
  for (const float rate : recipe.oracle.rates) text += fmt::format("{} ", rate);
  const AnswerPlan& answers = recipe.answers;
  text += fmt::format("{} {} {} {} {} {} {} {} {} {} {} ", recipe.seed, recipe.window,
                      recipe.oracle.steps, recipe.home.steps, recipe.home.lr, answers.temperature,
                      answers.confidence.slope, answers.confidence.full, answers.reading.silence,
                      answers.reading.sharpen, answers.bits);
  for (const Opinion& by : recipe.mixture.opinions)
    text += fmt::format("{}/{}/{} ", by.large, by.tuned, by.base);
  const AdaptationPlan& learning = recipe.learning;
  return text + fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}",
                            learning.steps, learning.lr, learning.adapter.rank,
                            learning.adapter.alpha, recipe.batch, recipe.keeping, recipe.candidates,
                            recipe.temperature, recipe.weight, recipe.weight_end, recipe.alpha,
                            recipe.mixture.memory, recipe.mixture.floor, recipe.back_lr,
                            recipe.public_sequences, recipe.written_sequences, recipe.own_sequences,
                            recipe.asking_rounds, recipe.asked_sequences, recipe.score.windows_max);
}

}  // namespace

ExperimentFolder::ExperimentFolder(Path folder, const AdaptRecipe& recipe, std::string_view models)
    : folder_(std::move(folder)) {
  const Digest digest = digest_of(as_bytes(said(recipe) + std::string(models)));
  for (std::size_t i = 0; i < 8; ++i) recipe_ += fmt::format("{:02x}", digest[i]);
}

Path ExperimentFolder::path_of(const std::string& name, std::string_view ending) const {
  return folder_ / (recipe_ + "-" + name + std::string(ending));
}

Result<std::optional<std::vector<float>>> ExperimentFolder::adapter(const std::string& name) const {
  const Path path = path_of(name, ".floats");
  std::error_code none;
  if (folder_.empty() || !std::filesystem::exists(path, none)) return std::nullopt;
  TRY_ASSIGN(const std::string bytes, read_file(path, limits::kTextFileBytesMax));
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

Result<void> ExperimentFolder::keep(const std::string& name,
                                    const std::vector<float>& adapter) const {
  if (folder_.empty()) return {};
  TRY(make_folders(folder_));
  return write_file_durably(path_of(name, ".floats"), as_bytes(std::span<const float>(adapter)));
}

Result<std::optional<WayOutcome>> ExperimentFolder::outcome(const std::string& name) const {
  const Path path = path_of(name, ".json");
  std::error_code none;
  if (folder_.empty() || !std::filesystem::exists(path, none)) return std::nullopt;
  TRY_ASSIGN(const std::string text, read_file(path, limits::kTextFileBytesMax));
  TRY_ASSIGN(const Json json, parse_json(text, path.string()));
  try {
    WayOutcome outcome;
    outcome.name = name;
    outcome.standing = static_cast<Standing>(json.at("standing").get<int>());
    outcome.bytes_up = json.at("bytes_up").get<std::uint64_t>();
    outcome.seconds = json.at("seconds").get<double>();
    outcome.score.bits_per_byte = json.at("bits_per_byte").get<double>();
    outcome.score.general_bits_per_byte = json.at("general").get<double>();
    outcome.score.calibration_error = json.at("calibration").get<double>();
    for (const auto& [key, value] : json.at("notes").items())
      outcome.notes[key] = value.get<double>();
    for (const Json& domain : json.at("domains"))
      outcome.score.domains.push_back({domain.at("name").get<std::string>(),
                                       domain.at("bits_per_byte").get<double>(),
                                       domain.at("window_bits").get<std::vector<double>>()});
    return outcome;
  } catch (const std::exception&) {
    return fail(Code::kBadInput, path.string() + ": no outcome of this experiment; remove it");
  }
}

Result<void> ExperimentFolder::keep(const WayOutcome& outcome) const {
  if (folder_.empty()) return {};
  Json domains = Json::array();
  for (const DomainScore& domain : outcome.score.domains)
    domains.push_back({{"name", domain.name},
                       {"bits_per_byte", domain.bits_per_byte},
                       {"window_bits", domain.window_bits}});
  const Json json = {{"standing", static_cast<int>(outcome.standing)},
                     {"bytes_up", outcome.bytes_up},
                     {"seconds", outcome.seconds},
                     {"bits_per_byte", outcome.score.bits_per_byte},
                     {"general", outcome.score.general_bits_per_byte},
                     {"calibration", outcome.score.calibration_error},
                     {"notes", outcome.notes},
                     {"domains", std::move(domains)}};
  TRY(make_folders(folder_));
  return write_file_durably(path_of(outcome.name, ".json"), as_bytes(to_text(json)));
}

}  // namespace freshet
