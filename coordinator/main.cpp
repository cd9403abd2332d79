#include <fmt/core.h>
#include <fmt/format.h>

#include <cstdio>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/stop_signal.h"
#include "coordinator/campaign_cost.h"
#include "coordinator/cloud_model_checks.h"
#include "coordinator/driver.h"
#include "coordinator/fleet_page.h"
#include "coordinator/operator_client.h"
#include "coordinator/traffic.h"
#include "membership/command.h"
#include "model/files/model_parts.h"

namespace freshet {
namespace {

struct Options {
  std::string folder, name, identity, file, campaign, token, listen = "tcp://0.0.0.0:7400", metrics;
  int threads = 1;
  std::int64_t wait_s = 600;
  std::uint64_t version = 0;
  std::string other_file;
  bool json = false, dry_run = false;
};

constexpr const char* kWhichCampaign = "Its id; default: the one under way, else the last";
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

Result<int> allow(const Options& options) {
  TRY(allow_node(Path(options.folder) / "nodes.allowed", options.name, options.identity));
  print(fmt::format("allowed {}", options.name));
  return 0;
}

Result<int> join(const Options& options) {
  TRY_ASSIGN(StopSignal stop, StopSignal::watch());
  TRY_ASSIGN(const std::string summary,
             membership::join_command(options.token, {.folder = options.folder,
                                                      .role = Role::kCoordinator,
                                                      .wait_ms = options.wait_s * 1000,
                                                      .stop = stop.fd()}));
  print(summary);
  return 0;
}

Result<int> rotate(const Options& options) {
  TRY_ASSIGN(StopSignal stop, StopSignal::watch());
  TRY_ASSIGN(const std::string summary,
             membership::rotate_command(
                 {.folder = options.folder, .role = Role::kCoordinator, .stop = stop.fd()}));
  print(summary);
  return 0;
}

Result<int> run(const Options& options) {
  TRY_ASSIGN(StopSignal stop, StopSignal::watch());
  TRY(membership::catch_up(options.folder, kNewsMs, stop.fd()));
  CoordinatorOptions coordinator_options;
  coordinator_options.folder = options.folder;
  coordinator_options.listen = options.listen;
  coordinator_options.trainer.threads = options.threads;
  coordinator_options.metrics = options.metrics;
  TRY_ASSIGN(auto coordinator, Coordinator::open(std::move(coordinator_options)));
  const std::string identity = to_text(coordinator->identity());
  if (options.json) {
    Json said{{"endpoint", coordinator->address()}, {"identity", identity}};
    if (!options.metrics.empty()) said["metrics"] = coordinator->metrics_address();
    print(to_text(said));
  } else {
    print(fmt::format("endpoint {}\nidentity {}", coordinator->address(), identity));
    if (!options.metrics.empty())
      print(fmt::format("metrics http://{}/metrics", coordinator->metrics_address()));
  }
  TRY(coordinator->run(stop.fd()));
  log::info("stopped; start it again with the same --dir and it goes on where it was");
  return static_cast<int>(ExitCode::kInterrupted);
}

std::string text_or_dash(const Json& json, const char* key) {
  return json.contains(key) && !json[key].is_null() ? json[key].dump() : "-";
}

// {"phase": "gathering", ...} as one line for people.
std::string progress_line(const Json& p) {
  std::string line = fmt::format("{} {}: {}, version {} of {}, {} of {} nodes ready",
                                 p.value("campaign", ""), p.value("name", ""), p.value("phase", ""),
                                 text_or_dash(p, "version"), text_or_dash(p, "rounds"),
                                 text_or_dash(p, "nodes_ready"), text_or_dash(p, "nodes_alive"));
  if (p.value("cohort", 0) > 0)
    line += fmt::format(", round {}: {} of {} answered", text_or_dash(p, "round"),
                        text_or_dash(p, "survivors"), text_or_dash(p, "cohort"));
  if (p.contains("groups"))
    line += fmt::format(", {} of {} groups summed", text_or_dash(p, "groups_summed"),
                        text_or_dash(p, "groups"));
  if (p.contains("heldout_bpb") && p["heldout_bpb"].is_number())
    line += fmt::format(", {:.4f} bits per byte on the nodes' held-out text at version {}",
                        p["heldout_bpb"].get<double>(), text_or_dash(p, "heldout_version"));
  if (p.contains("repeats"))
    line += fmt::format(", this version repeats {}", text_or_dash(p, "repeats"));
  if (p.contains("going_back_to"))
    line +=
        fmt::format(", goes back to version {} after this round", text_or_dash(p, "going_back_to"));
  if (p.contains("adapt") && p["adapt"].is_object())
    line += fmt::format(", adapting the cloud model: step {} of {}",
                        text_or_dash(p["adapt"], "step"), text_or_dash(p["adapt"], "total"));
  if (p.contains("eta_s") && p["eta_s"].is_number())
    line += fmt::format(", {:.0f} s left", p["eta_s"].get<double>());
  if (const std::string why = p.value("why", ""); !why.empty()) line += " (" + why + ")";
  return line;
}

Result<int> ask(const Options& options, Json request) {
  if (!options.campaign.empty()) request["campaign"] = options.campaign;
  TRY_ASSIGN(OperatorClient client, OperatorClient::connect(options.folder));
  TRY(client.send(request));
  const bool watches = request["do"] == "watch";
  std::string phase;
  for (;;) {
    TRY_ASSIGN(std::optional<Json> answer, client.next());
    if (!answer) break;
    phase = answer->value("phase", "");
    if (options.json) {
      print(to_text(*answer));
    } else if (answer->contains("campaigns")) {
      for (const Json& each : (*answer)["campaigns"]) print(progress_line(each));
      if ((*answer)["campaigns"].empty()) print("no campaign yet");
    } else if (request["do"] == "show") {
      for (const auto& [key, value] : answer->items())
        print(fmt::format("{:<12} {}", key,
                          value.is_string() ? value.get<std::string>() : value.dump()));
    } else {
      print(progress_line(*answer));
    }
  }
  if (!watches || phase == "finished") return 0;
  if (phase == "failed" || phase == "stopped") return static_cast<int>(ExitCode::kExpired);
  return fail(Code::kUnavailable,
              "lost the coordinator before the campaign ended; start it again and watch again");
}

Result<CampaignFile> campaign_of(const std::string& name) {
  TRY_ASSIGN(const std::string toml, read_file(name, limits::kOperatorLineBytesMax / 2));
  return parse_campaign_file(toml, name);
}

// Nothing is submitted, and no coordinator is asked.
Result<int> show_cost(const Options& options) {
  TRY_ASSIGN(const CampaignFile file, campaign_of(options.file));
  const Path model = Path(options.file).parent_path() / file.model;
  TRY_ASSIGN(const ModelFiles files, open_model_folder(model));
  TRY_ASSIGN(const ModelConfig config, read_config(files));
  TRY_ASSIGN(const CampaignCost cost, cost_of(file.plan, config));
  std::fputs(
      (options.json ? to_text(to_json(cost, file.plan)) + "\n" : to_text(cost, file.plan)).c_str(),
      stdout);
  return 0;
}

Result<int> show_differences(const Options& options) {
  TRY_ASSIGN(const CampaignFile before, campaign_of(options.file));
  TRY_ASSIGN(const CampaignFile after, campaign_of(options.other_file));
  const std::string text = differences(before, after);
  std::fputs(text.empty() ? "the same campaign\n" : text.c_str(), stdout);
  return 0;
}

// All pages of it.
Result<int> show_fleet(const Options& options, bool cohort) {
  Json request = {{"do", "fleet"}, {"cohort", cohort}, {"node", options.name}};
  std::uint64_t shown = 0;
  do {
    TRY_ASSIGN(OperatorClient client, OperatorClient::connect(options.folder));
    TRY(client.send(request));
    TRY_ASSIGN(std::optional<Json> page, client.next());
    if (!page) return fail(Code::kUnavailable, "the coordinator ended before it answered");
    if (!options.json && shown == 0 && !(*page)["nodes"].empty()) print(fleet_header());
    for (const Json& node : (*page)["nodes"]) {
      print(options.json ? to_text(node) : fleet_line(node));
      ++shown;
    }
    request["after"] = (*page)["more"];
  } while (request["after"].is_string());
  if (shown > 0) return 0;
  if (!options.name.empty())
    return fail(Code::kBadInput, options.name + ": no such node; see `freshet fleet ls`");
  if (!options.json) print(cohort ? "no round is open" : "no node may connect yet");
  return 0;
}

Result<int> submit(const Options& options) {
  if (options.dry_run) return show_cost(options);
  TRY_ASSIGN(std::string toml, read_file(options.file, limits::kOperatorLineBytesMax / 2));
  std::error_code error;
  const Path base = std::filesystem::absolute(options.file, error).parent_path();
  return ask(options,
             {{"do", "submit"}, {"toml", toml}, {"source", options.file}, {"base", base.string()}});
}

// What the campaign of a file would move, without a coordinator.
Result<int> plan(const Options& options) {
  TRY_ASSIGN(const std::string toml, read_file(options.file, limits::kOperatorLineBytesMax / 2));
  TRY_ASSIGN(CampaignFile file, parse_campaign_file(toml, options.file));
  const Path base = Path(options.file).parent_path();
  file.adapt.question = (base / file.adapt.question).string();
  TRY(take_question(file));
  TRY_ASSIGN(const ModelFiles small, open_model_folder(base / file.model));
  TRY_ASSIGN(const ModelConfig slm, read_config(small));
  std::optional<ModelConfig> llm;
  if (!file.adapt.llm.empty()) {
    TRY_ASSIGN(const ModelFiles large, open_model_folder(base / file.adapt.llm));
    TRY_ASSIGN(llm, read_config(large));
  }
  TRY_ASSIGN(const Traffic traffic, traffic_of(file, slm, llm ? &*llm : nullptr));
  std::fputs((options.json ? to_text(to_json(traffic)) + "\n" : to_text(traffic)).c_str(), stdout);
  return 0;
}

void add_folder(Command* app, Options& options) {
  app->add_option("--dir", options.folder, "Folder of the coordinator: keys, campaigns, journal")
      ->required()
      ->type_name("DIR");
}

Command* add_campaign_verb(Command* campaign, Options& options, const std::string& name,
                           const std::string& help) {
  Command* verb = campaign->add_subcommand(name, help);
  add_folder(verb, options);
  verb->add_flag("--json", options.json, "One JSON object a line");
  return verb;
}

void add_fleet(Command& app, Options& options) {
  Command* fleet = app.add_subcommand("fleet", "See the nodes of a running coordinator");
  fleet->require_subcommand();
  Command* show = fleet->add_subcommand("show", "Show one node");
  show->add_option("NODE", options.name, "Its name, or its id")->required();
  for (Command* verb :
       {fleet->add_subcommand("ls", "List all nodes that may connect"),
        fleet->add_subcommand("cohort", "List the nodes of the open round, and who answered"),
        show}) {
    add_folder(verb, options);
    verb->add_flag("--json", options.json, "One JSON object a line");
  }
}

Result<int> dispatch(const Command& app, const Options& options) {
  TRY(harden_process());
  const std::string verb = app.typed();
  if (verb == "init") return init(options);
  if (verb == "allow") return allow(options);
  if (verb == "join") return join(options);
  if (verb == "rotate") return rotate(options);
  if (verb == "run") return run(options);
  if (verb.starts_with("fleet ")) return show_fleet(options, verb == "fleet cohort");
  if (verb == "campaign plan") return plan(options);
  if (verb == "campaign submit") return submit(options);
  if (verb == "campaign diff") return show_differences(options);
  if (verb == "campaign rollback")
    return ask(options, {{"do", "rollback"}, {"version", options.version}});
  return ask(options, {{"do", verb.substr(verb.find(' ') + 1)}});
}

int main_of(int argc, char** argv) {
  Options options;
  Command app("Runs campaigns: invites nodes, adds their updates, publishes adapters.",
              "freshet coordinator");
  app.require_subcommand();
  Command* init_verb =
      app.add_subcommand("init", "Make the keys, print the identity line that nodes pin");
  add_folder(init_verb, options);
  Command* allow_verb = app.add_subcommand(
      "allow", "Let a node in, by the identity line that `freshet node init` printed");
  add_folder(allow_verb, options);
  allow_verb->add_option("NAME", options.name, "What to call the node")->required();
  allow_verb->add_option("IDENTITY", options.identity, "freshet-id-1:...")->required();
  Command* join_verb = app.add_subcommand(
      "join", "Join a fleet with a token of its authority: once, on this machine");
  add_folder(join_verb, options);
  join_verb
      ->add_option("TOKEN", options.token,
                   "The line that `freshet authority invite --coordinator` printed; - reads it "
                   "from the input")
      ->required();
  join_verb->add_option("--wait", options.wait_s, "Seconds to wait for an operator's approval")
      ->range(0, 7 * 24 * 3600)
      ->show_default();
  add_folder(
      app.add_subcommand("rotate", "Replace the coordinator's keys and certificate by new ones"),
      options);
  Command* run_verb = app.add_subcommand(
      "run", "Serve nodes and run the submitted campaigns until SIGINT or SIGTERM");
  add_folder(run_verb, options);
  run_verb->add_option("--listen", options.listen, "Address for nodes; port 0 takes any free one")
      ->show_default();
  run_verb
      ->add_option("--threads", options.threads,
                   "Threads of the trainer that adapts the cloud model")
      ->range(1, 1024)
      ->show_default();
  run_verb
      ->add_option("--metrics", options.metrics,
                   "Serve figures for Prometheus at http://HOST:PORT/metrics, without a password: "
                   "127.0.0.1:9464, or an address of a private network")
      ->type_name("HOST:PORT");
  run_verb->add_flag("--json", options.json,
                     "Print the endpoint and the identity as one JSON object");
  Command* campaign =
      app.add_subcommand("campaign", "Submit and follow campaigns of a running coordinator");
  campaign->require_subcommand();
  Command* plan_verb = campaign->add_subcommand(
      "plan", "What a campaign would send and fetch, by way of teaching the cloud model");
  plan_verb->add_option("FILE", options.file, "The campaign")->required();
  plan_verb->add_flag("--json", options.json, "One JSON object");
  Command* submit_verb = add_campaign_verb(campaign, options, "submit",
                                           "Queue the campaign that a TOML file describes");
  submit_verb->add_option("FILE", options.file, "The campaign")->required();
  submit_verb->add_flag("--dry-run", options.dry_run,
                        "Show what it will cost, and submit nothing; no coordinator need run");
  Command* diff_verb =
      campaign->add_subcommand("diff", "Show what differs between two campaign files");
  diff_verb->add_option("BEFORE", options.file, "A campaign file")->required();
  diff_verb->add_option("AFTER", options.other_file, "Another")->required();
  add_campaign_verb(campaign, options, "ls", "List all campaigns");
  Command* rollback = add_campaign_verb(
      campaign, options, "rollback",
      "Go on from the adapter of an earlier version, as the next one; an open round ends first");
  rollback->add_option("VERSION", options.version, "One of those that `campaign show` lists")
      ->required();
  rollback->add_option("CAMPAIGN", options.campaign, kWhichCampaign);
  for (const auto& [name, help] : {std::pair{"show", "Show one campaign"},
                                   {"watch", "A line for every change until the campaign ends"},
                                   {"stop", "End a campaign; what it published stays"}})
    add_campaign_verb(campaign, options, name, help)
        ->add_option("CAMPAIGN", options.campaign, kWhichCampaign);
  add_fleet(app, options);
  if (const auto over = app.parse(argc, argv)) return *over;
  log::set_name("coordinator");
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
