#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli/model/verbs.h"
#include "simulations/learning/fleet.h"
#include "simulations/learning/private_fleet.h"
#include "simulations/learning/scratch_folder.h"
#include "simulations/learning/speakers.h"
#include "trainer/local_model.h"
#include "trainer/threads.h"

namespace freshet {
namespace {

struct Flags {
  std::string model, text, data, split = "speakers", method = "rolora", rule = "sgd";
  std::string sum = "sealed", poison = "none", robust = "mean", public_text;
  bool unclipped = false;
  std::size_t nodes = 8;
  FleetPlan plan;
  float server_lr = 0;  // 0: the rule's own
  double epsilon = 0;   // 0: an ordinary campaign; infinity: the private one without noise
  bool json = false;
};

Result<std::vector<FleetNode>> nodes_of_speakers(const Flags& flags, const Tokenizer& tokenizer) {
  TRY_ASSIGN(const std::string play, read_file(flags.text, limits::kTextFileBytesMax));
  const std::vector<Speaker> speakers =
      flags.split == "parts" ? split_parts(play, flags.nodes) : split_speakers(play);
  if (speakers.size() < flags.nodes)
    return fail(Code::kBadInput, flags.text + ": " + std::to_string(speakers.size()) +
                                     " speakers (NAME: on a line of its own), but " +
                                     std::to_string(flags.nodes) + " nodes were asked for");
  std::vector<FleetNode> nodes;
  for (std::size_t i = 0; i < flags.nodes; ++i)
    nodes.push_back({speakers[i].name, speaker_corpus(tokenizer, speakers[i])});
  return nodes;
}

Result<std::vector<FleetNode>> nodes_of_folders(const Flags& flags, const LocalModel& model) {
  std::vector<Path> folders;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(flags.data, error))
    if (entry.is_directory(error)) folders.push_back(entry.path());
  if (error || folders.empty())
    return fail(
        Code::kBadInput,
        flags.data + ": no folders in it; --data wants one subfolder of text for each node");
  std::sort(folders.begin(), folders.end());
  std::vector<FleetNode> nodes;
  for (const Path& folder : folders) {
    TRY_ASSIGN(const std::vector<OpenFile> files, open_text_folder(folder));
    TRY_ASSIGN(const std::vector<Document> documents, read_documents(files, {&model.chat(), {}}));
    TRY_ASSIGN(Corpus corpus,
               make_corpus(model.tokenizer(), documents, 0.1, flags.plan.campaign.training.window));
    nodes.push_back({folder.filename().string(), std::move(corpus)});
  }
  return nodes;
}

Json to_json(const PrivateFleetResult& result, const Flags& flags) {
  const CampaignPlan& plan = flags.plan.campaign;
  const bool noisy = plan.privacy.on;
  return Json{
      {"method", flags.method},
      {"nodes", result.learned.node_before.size()},
      {"rounds", result.rounds},
      {"cohort", result.cohort},
      {"sampling_rate", plan.privacy.sampling_rate},
      {"honest_min", plan.privacy.honest_min},
      {"epsilon_budget", noisy ? Json(flags.epsilon) : Json(nullptr)},
      {"delta", plan.privacy.delta},
      {"noise_multiplier", result.multiplier},
      {"epsilon", noisy ? Json(result.epsilon) : Json(nullptr)},
      {"pld_epsilon", noisy ? Json(result.pld_epsilon) : Json(nullptr)},
      {"epsilon_without_amplification", noisy ? Json(result.epsilon_unamplified) : Json(nullptr)},
      {"pld_epsilon_without_amplification",
       noisy ? Json(result.pld_epsilon_unamplified) : Json(nullptr)},
      {"clip_first", result.clip_first},
      {"clip_last", result.clip_last},
      {"share_clipped", result.share_clipped},
      {"bits", plan.grid.bits},
      {"word_bits", result.word_bits},
      {"bpb_before", result.learned.bpb_before},
      {"bpb_after", result.learned.bpb_after},
      {"seconds", result.learned.seconds}};
}

void print(const PrivateFleetResult& result, const Flags& flags) {
  const Json json = to_json(result, flags);
  if (flags.json) return void(std::puts(to_text(json).c_str()));
  for (const auto& [key, value] : json.items())
    std::printf("%-34s %s\n", key.c_str(), to_text(value).c_str());
}

void print(const Flags& flags, const std::vector<FleetNode>& nodes, const FleetResult& result) {
  if (flags.json) {
    Json rows = Json::array();
    for (std::size_t i = 0; i < nodes.size(); ++i)
      rows.push_back({{"name", nodes[i].name},
                      {"bpb_before", result.node_before[i]},
                      {"bpb_after", result.node_after[i]}});
    std::puts(to_text(Json{{"method", flags.plan.home_alone ? "home" : flags.method},
                           {"bpb_before", result.bpb_before},
                           {"bpb_after", result.bpb_after},
                           {"seconds", result.seconds},
                           {"answer_before", result.answer_before},
                           {"answer_after", result.answer_after},
                           {"refused", result.refused},
                           {"held_back", result.held_back},
                           {"nodes", rows}})
                  .c_str());
    return;
  }
  std::printf("%-24s %10s %10s   bits per byte, held out\n", "node", "before", "after");
  for (std::size_t i = 0; i < nodes.size(); ++i)
    std::printf("%-24s %10.3f %10.3f\n", nodes[i].name.c_str(), result.node_before[i],
                result.node_after[i]);
  std::printf("%-24s %10.3f %10.3f   in %.1f s\n", "mean", result.bpb_before, result.bpb_after,
              result.seconds);
  if (flags.poison != "none")
    std::printf("%s by %zu nodes: %zu updates refused, %zu versions held back\n",
                flags.poison.c_str(), poisoned_of(flags.plan.poison, nodes.size()), result.refused,
                result.held_back);
  if (result.answer_after > 0)
    std::printf("chance of a token of the backdoor's answer: %.4f before, %.4f after\n",
                result.answer_before, result.answer_after);
}

// The rule with the numbers that so many poisoned nodes ask for.
Result<RobustRule> rule_against(std::string_view name, std::size_t nodes, std::size_t poisoned) {
  TRY_ASSIGN(RobustRule rule, robust_rule_named(name));
  const auto f = static_cast<std::uint32_t>(std::max<std::size_t>(poisoned, 1));
  if (auto* trimmed = std::get_if<TrimmedMean>(&rule)) trimmed->trim = f;
  if (auto* krum = std::get_if<Krum>(&rule)) krum->byzantine = f;
  if (auto* bulyan = std::get_if<Bulyan>(&rule)) bulyan->byzantine = f;
  if (auto* multi = std::get_if<MultiKrum>(&rule)) {
    multi->byzantine = f;
    multi->keep = nodes > f + 3 ? static_cast<std::uint32_t>(nodes) - f - 2 : 1;
  }
  return rule;
}

Result<void> set_poison(Flags& flags, const LocalModel& model, std::size_t nodes) {
  FleetPlan& plan = flags.plan;
  TRY_ASSIGN(plan.poison.attack, attack_named(flags.poison));
  plan.poison.clips = !flags.unclipped;
  const std::size_t poisoned = poisoned_of(plan.poison, nodes);
  TRY_ASSIGN(plan.robust.rule, rule_against(flags.robust, nodes, poisoned));
  if (flags.unclipped) {  // whose updates are refused until they are out; the rest go on
    plan.campaign.ready_ms = 0;
    plan.campaign.cohort_min -= static_cast<std::uint32_t>(poisoned);
    plan.campaign.survivors_min = plan.campaign.cohort_min;
  }
  if (flags.public_text.empty()) return {};
  TRY_ASSIGN(const std::vector<OpenFile> files, open_text_folder(flags.public_text));
  TRY_ASSIGN(const std::vector<Document> documents, read_documents(files, {&model.chat(), {}}));
  TRY_ASSIGN(Corpus corpus,
             make_corpus(model.tokenizer(), documents, 0.1, plan.campaign.training.window));
  plan.public_text = std::move(corpus.heldout);
  return {};
}

Result<void> run(Flags flags) {
  warm_up(1);
  TRY_ASSIGN(const ModelFiles files, open_model_folder(flags.model));
  TRY_ASSIGN(LocalModel model, LocalModel::load(files));
  CampaignPlan& plan = flags.plan.campaign;
  TRY_ASSIGN(plan.method, method_named(flags.method));
  TRY_ASSIGN(plan.rule, server_rule_named(flags.rule));
  if (flags.server_lr > 0) std::visit([&](auto& rule) { rule.lr = flags.server_lr; }, plan.rule);
  TRY_ASSIGN(const std::vector<FleetNode> nodes, flags.data.empty()
                                                     ? nodes_of_speakers(flags, model.tokenizer())
                                                     : nodes_of_folders(flags, model));
  plan.name = "simulation";
  plan.model = model.digest();
  plan.grid.range = default_range(plan.clip);
  plan.cohort_min = plan.cohort_max = plan.survivors_min = static_cast<std::uint32_t>(nodes.size());
  const auto round_done = [&](std::uint64_t version) {
    if (!flags.json)
      std::fprintf(stderr, "round %llu of %u\n", static_cast<unsigned long long>(version),
                   plan.rounds);
  };
  if (flags.epsilon > 0) {
    plan.mode = Mode::kMasked;
    plan.privacy.on = std::isfinite(flags.epsilon);
    plan.privacy.epsilon = plan.privacy.on ? flags.epsilon : 1;
    plan.masking.honest_min = plan.privacy.honest_min;
    TRY_ASSIGN(const PrivateFleetResult result,
               run_private_fleet(model, nodes, flags.plan, round_done));
    print(result, flags);
    return {};
  }
  flags.plan.summing = flags.sum == "masked" ? Summing::kMasked
                       : flags.sum == "f32"  ? Summing::kFloat
                                             : Summing::kSealed;
  TRY(set_poison(flags, model, nodes.size()));
  TRY_ASSIGN(const ScratchFolder scratch, ScratchFolder::make());
  TRY_ASSIGN(const FleetResult result,
             run_fleet(model, nodes, flags.plan, scratch.path(), round_done));
  print(flags, nodes, result);
  return {};
}

}  // namespace

namespace {

void add_privacy(Command& verb, Flags& flags) {
  PrivacyPlan& privacy = flags.plan.campaign.privacy;
  auto* epsilon =
      verb.add_option("--epsilon", flags.epsilon,
                      "Client-level differential privacy over all rounds; inf: the same without "
                      "noise")
          ->range(1e-6, std::numeric_limits<double>::infinity());
  verb.add_option("--delta", privacy.delta)->show_default()->needs(epsilon);
  verb.add_option("--rate", privacy.sampling_rate, "Chance that a node is in a round")
      ->show_default()
      ->range(1e-6, 1.0)
      ->needs(epsilon);
  verb.add_option("--honest-min", privacy.honest_min,
                  "Honest nodes of a round that the noise is calibrated to")
      ->show_default()
      ->needs(epsilon);
  verb.add_flag("--adaptive-clip", privacy.adaptive_clip, "The clip follows the norms")
      ->needs(epsilon);
}

void add_poison(Command& verb, Flags& flags) {
  verb.add_option("--poison", flags.poison, "What poisoned nodes do")
      ->show_default()
      ->one_of({"none", "sign-flip", "scale", "label-flip", "backdoor", "small-bias"});
  verb.add_option("--poisoned", flags.plan.poison.share, "Share of the nodes that are poisoned")
      ->show_default()
      ->range(0.0, 0.49);
  verb.add_option("--poison-factor", flags.plan.poison.factor,
                  "How far a poisoned node stretches what it learned")
      ->show_default()
      ->range(0.0, 1e6);
  verb.add_flag("--unclipped", flags.unclipped, "Poisoned nodes do not keep to the clip");
  verb.add_option("--robust", flags.robust, "Rule over updates")
      ->show_default()
      ->one_of(
          {"mean", "median", "trimmed-mean", "krum", "multi-krum", "bulyan", "geometric-median"});
  verb.add_option("--public-text", flags.public_text,
                  "Text folder: a version that reads its held-out part worse is held back");
  verb.add_option("--margin", flags.plan.robust.margin, "Bits per byte that it may be worse")
      ->show_default();
}

}  // namespace

void add_simulate_learning(Command& app, Verb& chosen) {
  auto flags = std::make_shared<Flags>();
  LocalTraining& training = flags->plan.campaign.training;
  Command* verb =
      app.add_subcommand("simulate-learning", "Run a campaign over many nodes in one process");
  verb->add_option("--model", flags->model, "Model folder (Hugging Face form)")->required();
  auto* text = verb->add_option("--text", flags->text,
                                "A play, one node for each of its speakers with the most text; or "
                                "any text, with --split parts");
  text->existing_file();
  auto* data =
      verb->add_option("--data", flags->data, "A folder with one subfolder of text for each node");
  text->excludes(data);
  verb->add_option("--split", flags->split, "How --text becomes nodes")
      ->show_default()
      ->one_of({"speakers", "parts"});
  verb->add_option("--nodes", flags->nodes, "Nodes, with --text")->show_default()->range(2, 1000);
  verb->add_option("--method", flags->method)
      ->show_default()
      ->one_of({"fedit", "ffa", "rolora", "fedsvd", "fed-sb"});
  verb->add_option("--rule", flags->rule, "Server rule")
      ->show_default()
      ->one_of({"sgd", "momentum", "adam", "yogi"});
  verb->add_option("--rounds", flags->plan.campaign.rounds)->show_default()->range(1, 100'000);
  verb->add_option("--steps", training.steps, "Steps of a node in a round")
      ->show_default()
      ->range(1, 100'000);
  verb->add_option("--batch", training.batch)->show_default()->range(1, 4096);
  verb->add_option("--window", training.window)->show_default()->range(2, 65536);
  verb->add_option("--lr", training.lr)->show_default()->range(0.0f, 10.0f);
  verb->add_option("--rank", flags->plan.campaign.lora.rank)->show_default()->range(1, 1024);
  verb->add_option("--alpha", flags->plan.campaign.lora.alpha, "LoRA's scale is alpha / rank")
      ->show_default();
  verb->add_option("--clip", flags->plan.campaign.clip, "L2 norm of one update at most")
      ->show_default();
  verb->add_option("--bits", flags->plan.campaign.grid.bits, "Of one rounded value")
      ->show_default();
  verb->add_option("--sum", flags->sum,
                   "How updates are added: rounded and sealed, rounded and masked, or as they are")
      ->show_default()
      ->one_of({"sealed", "masked", "f32"});
  verb->add_option("--server-lr", flags->server_lr, "Of the server rule")->show_default();
  add_privacy(*verb, *flags);
  verb->add_option("--seed", training.seed)->show_default();
  verb->add_option("--threads", flags->plan.threads, "Nodes that train at a time")
      ->show_default()
      ->range(1, 256);
  verb->add_flag("--home-alone", flags->plan.home_alone,
                 "No campaign: every node on its own, the same steps");
  add_poison(*verb, *flags);
  verb->add_flag("--json", flags->json, "One JSON object");
  verb->callback([flags, &chosen] {
    if (flags->text.empty() && flags->data.empty()) missing_flags("--text FILE or --data FOLDER");
    chosen = [flags] {
      const Result<void> done = run(*flags);
      return done ? 0 : report(done.error());
    };
  });
}

}  // namespace freshet
