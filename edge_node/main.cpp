#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/process_limits.h"
#include "base/stop_signal.h"
#include "edge_node/driver.h"
#include "membership/command.h"

namespace freshet {
namespace {

struct Options {
  std::string folder, data, model, coordinator, coordinator_id, name, record, policy, token,
      forgotten;
  int threads = 1, own_rank = 0;
  std::int64_t wait_s = 600;
  std::optional<std::uint32_t> weight_max;
  std::uint64_t eval_tokens = 0, trainer_memory_mib = 0;
  bool json = false, baseline = false, exit_when_finished = false;
  bool trust_coordinator = false, keep_unmasked = false;
};

constexpr int kNewsMs = 5000;  // that `run` waits for the authority before it goes on without

void print(std::string_view line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

Result<int> init(const Options& options) {
  TRY(make_folders(options.folder, 0700));
  TRY_ASSIGN(KeyRing keys, load_or_make_keys(options.folder));
  print(to_text(keys.identity.open));
  return 0;
}

// The file that --policy names, else the folder's own, else the defaults; flags on top.
Result<NodePolicy> policy_of(const Options& options) {
  const Path own = Path(options.folder) / "policy.toml";
  std::error_code error;
  NodePolicy policy;
  if (!options.policy.empty() || std::filesystem::exists(own, error)) {
    const Path path = options.policy.empty() ? own : Path(options.policy);
    TRY_ASSIGN(const std::string toml, read_file(path, limits::kCampaignFileBytesMax));
    TRY_ASSIGN(policy, parse_policy_file(toml, path.string()));
  }
  if (options.weight_max) policy.weight_max = *options.weight_max;
  const auto& modes = policy.modes;
  const bool trusts =
      std::find(modes.begin(), modes.end(), Mode::kTrustedCoordinator) != modes.end();
  if (options.trust_coordinator && !trusts) policy.modes.push_back(Mode::kTrustedCoordinator);
  return policy;
}

Result<int> show_policy(const Options& options) {
  TRY_ASSIGN(const NodePolicy policy, policy_of(options));
  std::fputs(to_toml(policy).c_str(), stdout);
  return 0;
}

Result<int> show_payload(const Options& options) {
  const Path folder = Path(options.folder) / "payload";
  TRY_ASSIGN(Payload payload, load_payload(folder, nullptr));  // no keys are made where nothing is
  TRY_ASSIGN(const KeyRing keys, load_or_make_keys(options.folder));
  TRY_ASSIGN(payload, load_payload(folder, &keys.storage));
  std::fputs((options.json ? to_text(to_json(payload), 2) + "\n" : to_text(payload)).c_str(),
             stdout);
  return 0;
}

Result<int> join(const Options& options) {
  TRY_ASSIGN(StopSignal stop, StopSignal::watch());
  TRY_ASSIGN(const std::string summary,
             membership::join_command(
                 options.token,
                 {.folder = options.folder, .wait_ms = options.wait_s * 1000, .stop = stop.fd()}));
  print(summary);
  return 0;
}

Result<int> rotate(const Options& options) {
  TRY_ASSIGN(StopSignal stop, StopSignal::watch());
  TRY_ASSIGN(const std::string summary,
             membership::rotate_command({.folder = options.folder, .stop = stop.fd()}));
  print(summary);
  return 0;
}

Result<int> run(const Options& options) {
  TRY_ASSIGN(StopSignal stop, StopSignal::watch());
  keep_heap_small();
  TRY(limit_process({limits::kNodeOpenFilesMax, limits::kNodeMemoryBytesMax}));
  NodeOptions node_options;
  if (!options.coordinator_id.empty()) {
    auto pinned = public_identity_from_text(options.coordinator_id);
    if (!pinned) return fail_in("--coordinator-id", pinned.error());
    node_options.coordinator_id = *pinned;
  }
  node_options.folder = options.folder;
  node_options.data = options.data;
  node_options.model = options.model;
  node_options.coordinator = options.coordinator;
  node_options.name = options.name;
  node_options.trainer.threads = options.threads;
  node_options.trainer.memory_bytes_max = options.trainer_memory_mib * limits::kMiB;
  node_options.trainer.nice = 10;  // a person's machine has other things to do
  node_options.trainer.idle_io = true;
  TRY_ASSIGN(node_options.policy, policy_of(options));
  node_options.keep_unmasked = options.keep_unmasked;
  node_options.own_rank = options.own_rank;
  node_options.eval_tokens = options.eval_tokens;
  node_options.baseline = options.baseline;
  node_options.exit_when_finished = options.exit_when_finished;
  node_options.record = options.record;
  TRY(membership::catch_up(options.folder, kNewsMs, stop.fd()));
  TRY_ASSIGN(auto node, Node::open(std::move(node_options)));
  TRY(node->run(stop.fd()));
  return stop.came() ? static_cast<int>(ExitCode::kInterrupted) : 0;
}

Result<int> status(const Options& options) {
  const Path path = Path(options.folder) / "status.json";
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return fail(Code::kBadInput, path.string() +
                                     ": not there; start the node with: freshet node run --dir " +
                                     options.folder + " ...");
  TRY_ASSIGN(std::string text, read_file(path, limits::kOperatorLineBytesMax));
  TRY_ASSIGN(Json json, parse_json(text, path.string()));
  if (options.json) {
    print(to_text(json));
    return 0;
  }
  for (const auto& [key, value] : json.items())
    print(fmt::format("{:<20} {}", key,
                      value.is_string() ? value.get<std::string>() : to_text(value)));
  return 0;
}

Result<int> show_text(const Options& options) {
  TRY_ASSIGN(const SeenFiles files, load_seen(options.folder));
  print(to_text(files));
  return 0;
}

Result<int> forget(const Options& options) {
  std::error_code error;
  if (!std::filesystem::exists(Path(options.folder) / "identity.key", error))
    return fail(Code::kBadInput, options.folder + ": no node lives there; give its --dir");
  TRY(Forgotten::add(options.folder, options.forgotten));
  print("forgotten: " + known_path(options.forgotten).string() +
        "\nNo later round is trained on it. What earlier rounds took from it stays in their sums.");
  return 0;
}

Result<int> dispatch(const Command& app, const Options& options) {
  TRY(harden_process());
  const std::string verb = app.typed();
  if (verb == "init") return init(options);
  if (verb == "join") return join(options);
  if (verb == "rotate") return rotate(options);
  if (verb == "policy") return show_policy(options);
  if (verb == "text") return show_text(options);
  if (verb == "forget") return forget(options);
  if (verb == "payload") return show_payload(options);
  return verb == "run" ? run(options) : status(options);
}

void add_policy(Command* verb, Options& options) {
  verb->add_option("--policy", options.policy,
                   "What this node gives, docs/node-policy.md; default DIR/policy.toml")
      ->type_name("FILE");
}

void add_run(Command* run_verb, Options& options) {
  run_verb
      ->add_option("--data", options.data,
                   "Folder of private text (.txt, .md, .jsonl); it never leaves this machine")
      ->required()
      ->type_name("FOLDER");
  run_verb->add_option("--model", options.model, "Folder of the base model, in Hugging Face form")
      ->required()
      ->type_name("MODELDIR");
  run_verb
      ->add_option("--coordinator", options.coordinator,
                   "Address of the coordinator: tcp://HOST:PORT; default: as the join token said")
      ->type_name("ADDRESS");
  run_verb
      ->add_option("--coordinator-id", options.coordinator_id,
                   "Its identity line, as `freshet coordinator init` printed it; default: the one "
                   "that the authority certified")
      ->type_name("LINE");
  run_verb->add_option("--name", options.name, "What this node calls itself in its own files");
  run_verb->add_option("--threads", options.threads, "Threads of the trainer")
      ->range(1, 1024)
      ->show_default();
  run_verb
      ->add_option("--trainer-memory-mib", options.trainer_memory_mib,
                   "Memory that the trainer may write to; 0: what the machine has")
      ->range(0u, 1u << 24)
      ->show_default();
  run_verb
      ->add_option("--weight-max", options.weight_max, "The most weight this node takes in a sum")
      ->range(1u, limits::kWeightMax);
  add_policy(run_verb, options);
  run_verb->add_flag("--trust-coordinator", options.trust_coordinator,
                     "Take part as well in campaigns whose coordinator opens every update");
  run_verb->add_flag("--keep-unmasked", options.keep_unmasked,
                     "Keep the last round's words under the masks, sealed, for `privacy payload`");
  run_verb
      ->add_option("--own-rank", options.own_rank,
                   "Rank of its own adapter in campaigns of logits; 0: as the campaign says")
      ->range(0, limits::kAdapterRankMax)
      ->show_default();
  run_verb
      ->add_option("--eval-tokens", options.eval_tokens,
                   "Held-out tokens an evaluation looks at; 0 is all")
      ->show_default();
  run_verb->add_flag("--baseline", options.baseline,
                     "After a campaign also train at home alone, to see what the others gave");
  run_verb->add_flag("--exit-when-finished", options.exit_when_finished,
                     "Exit once a campaign is over and its report is written");
  run_verb
      ->add_option("--record", options.record,
                   "Keep a plain copy of everything this node sends, for audits")
      ->type_name("FOLDER");
}

void add_join(Command* verb, Options& options) {
  verb->add_option("TOKEN", options.token,
                   "The line that `freshet authority invite` printed; - reads it from the input")
      ->required();
  verb->add_option("--wait", options.wait_s, "Seconds to wait for an operator's approval")
      ->range(0, 7 * 24 * 3600)
      ->show_default();
}

int main_of(int argc, char** argv) {
  Options options;
  Command app("Trains on private text where it lives and sends only sealed adapter updates.",
              "freshet node");
  app.require_subcommand();
  Command* init_verb = app.add_subcommand(
      "init", "Make the keys, print the identity line for `freshet coordinator allow`");
  Command* run_verb =
      app.add_subcommand("run", "Take part in the coordinator's campaigns until SIGINT or SIGTERM");
  Command* status_verb = app.add_subcommand("status", "Show where the node of a folder is");
  Command* policy_verb =
      app.add_subcommand("policy", "Print the policy in force, to keep in DIR/policy.toml");
  add_policy(policy_verb, options);
  Command* join_verb = app.add_subcommand(
      "join", "Join a fleet with a token of its authority: once, on this machine");
  add_join(join_verb, options);
  Command* rotate_verb =
      app.add_subcommand("rotate", "Replace this node's keys and certificate by new ones");
  Command* payload_verb =
      app.add_subcommand("payload", "Show exactly what left the node in its last masked round");
  Command* text_verb = app.add_subcommand(
      "text", "List the text files that the node has seen, and how often each was trained on");
  Command* forget_verb =
      app.add_subcommand("forget", "Never train on a file or folder again, from the next round on");
  forget_verb->add_option("PATH", options.forgotten, "File or folder; it stays where it is")
      ->required();
  for (Command* verb : {init_verb, join_verb, rotate_verb, run_verb, status_verb, policy_verb,
                        payload_verb, text_verb, forget_verb})
    verb->add_option("--dir", options.folder,
                     "Folder of the node: keys, contribution, its own records")
        ->required()
        ->type_name("DIR");
  add_run(run_verb, options);
  for (Command* verb : {status_verb, payload_verb})
    verb->add_flag("--json", options.json, "One JSON object");
  if (const auto over = app.parse(argc, argv)) return *over;
  log::set_name(options.name.empty() ? "node" : options.name);
  auto code = dispatch(app, options);
  return code ? *code : report(code.error());
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) {
  try {
    return freshet::main_of(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "freshet: a bug of ours: %s\n", error.what());
    return static_cast<int>(freshet::ExitCode::kBug);
  }
}
