#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "base/exit_code.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli/model/verbs.h"
#include "simulations/learning/fleet.h"
#include "simulations/learning/scratch_folder.h"
#include "simulations/learning/speakers.h"
#include "trainer/local_model.h"
#include "trainer/threads.h"

namespace freshet {
namespace {

struct Flags {
  std::string model, text, data, split = "speakers", method = "rolora", rule = "sgd";
  std::size_t nodes = 8;
  FleetPlan plan;
  bool json = false;
};

Result<std::vector<FleetNode>> nodes_of_speakers(const Flags& flags, const Tokenizer& tokenizer) {
  TRY_ASSIGN(const std::string play, read_file(flags.text, limits::kTextFileBytesMax));
  const std::vector<Speaker> speakers = split_speakers(play);
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
}

Result<void> run(Flags flags) {
  warm_up(1);
  TRY_ASSIGN(const ModelFiles files, open_model_folder(flags.model));
  TRY_ASSIGN(LocalModel model, LocalModel::load(files));
  CampaignPlan& plan = flags.plan.campaign;
  TRY_ASSIGN(plan.method, method_named(flags.method));
  TRY_ASSIGN(plan.rule, server_rule_named(flags.rule));
  TRY_ASSIGN(const std::vector<FleetNode> nodes, flags.data.empty()
                                                     ? nodes_of_speakers(flags, model.tokenizer())
                                                     : nodes_of_folders(flags, model));
  plan.name = "simulation";
  plan.model = model.digest();
  plan.grid.range = default_range(plan.clip);
  plan.cohort_min = plan.cohort_max = plan.survivors_min = static_cast<std::uint32_t>(nodes.size());
  TRY_ASSIGN(const ScratchFolder scratch, ScratchFolder::make());
  TRY_ASSIGN(const FleetResult result,
             run_fleet(model, nodes, flags.plan, scratch.path(), [&](std::uint64_t version) {
               if (!flags.json)
                 std::fprintf(stderr, "round %llu of %u\n",
                              static_cast<unsigned long long>(version), plan.rounds);
             }));
  print(flags, nodes, result);
  return {};
}

}  // namespace

void add_simulate_learning(CLI::App& app, Verb& chosen) {
  auto flags = std::make_shared<Flags>();
  LocalTraining& training = flags->plan.campaign.training;
  CLI::App* verb =
      app.add_subcommand("simulate-learning", "Run a campaign over many nodes in one process");
  verb->add_option("--model", flags->model, "Model folder (Hugging Face form)")->required();
  auto* text = verb->add_option("--text", flags->text,
                                "A play: one node for each of its speakers with the most text");
  auto* data =
      verb->add_option("--data", flags->data, "A folder with one subfolder of text for each node");
  text->excludes(data);
  verb->add_option("--split", flags->split, "How --text becomes nodes")
      ->capture_default_str()
      ->check(CLI::IsMember({"speakers"}));
  verb->add_option("--nodes", flags->nodes, "Nodes, with --text")
      ->capture_default_str()
      ->check(CLI::Range(2, 1000));
  verb->add_option("--method", flags->method)
      ->capture_default_str()
      ->check(CLI::IsMember({"fedit", "ffa", "rolora"}));
  verb->add_option("--rule", flags->rule, "Server rule")
      ->capture_default_str()
      ->check(CLI::IsMember({"sgd", "momentum", "adam", "yogi"}));
  verb->add_option("--rounds", flags->plan.campaign.rounds)
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  verb->add_option("--steps", training.steps, "Steps of a node in a round")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  verb->add_option("--batch", training.batch)->capture_default_str()->check(CLI::Range(1, 4096));
  verb->add_option("--window", training.window)->capture_default_str()->check(CLI::Range(2, 65536));
  verb->add_option("--lr", training.lr)->capture_default_str()->check(CLI::Range(0.0f, 10.0f));
  verb->add_option("--rank", flags->plan.campaign.lora.rank)
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  verb->add_option("--alpha", flags->plan.campaign.lora.alpha, "LoRA's scale is alpha / rank")
      ->capture_default_str();
  verb->add_option("--clip", flags->plan.campaign.clip, "L2 norm of one update at most")
      ->capture_default_str();
  verb->add_option("--seed", training.seed)->capture_default_str();
  verb->add_option("--threads", flags->plan.threads, "Nodes that train at a time")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  verb->add_flag("--home-alone", flags->plan.home_alone,
                 "No campaign: every node on its own, the same steps");
  verb->add_flag("--json", flags->json, "One JSON object");
  verb->callback([flags, &chosen] {
    if (flags->text.empty() && flags->data.empty())
      throw CLI::RequiredError("--text FILE or --data FOLDER");
    chosen = [flags] {
      const Result<void> done = run(*flags);
      return done ? 0 : report(done.error());
    };
  });
}

}  // namespace freshet
