#include "cli/demo/run.h"

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "cli/demo/auditor.h"
#include "cli/demo/campaign_progress.h"
#include "cli/demo/enrolment.h"
#include "cli/demo/find_model.h"
#include "cli/demo/live_table.h"
#include "cli/demo/node_files.h"
#include "cli/demo/recordings.h"
#include "cli/demo/stage.h"
#include "cli/demo/tap.h"
#include "cli/demo/workspace.h"

namespace freshet::demo {
namespace {

constexpr int kStartMs = 20'000, kNodeEndMs = 180'000, kOracleMs = 600'000, kRestarts = 3,
              kWatchTries = 100, kRetryMs = 200;
constexpr std::string_view kAnyPort = "tcp://127.0.0.1:0";

// Where people look for it: a copy of `folder` right below `to`.
Result<std::string> copy_out(const Path& folder, const Path& to) {
  std::error_code error;
  std::filesystem::copy(folder, to / folder.filename(), std::filesystem::copy_options::recursive,
                        error);
  if (error)
    return fail(Code::kBadInput, "cannot copy " + folder.string() + ": " + error.message());
  return (to / folder.filename()).string();
}

class Demo {
 public:
  Demo(const DemoOptions& options, Path folder, Stage stage, std::FILE* screen)
      : options_(options),
        folder_(std::move(folder)),
        stage_(std::move(stage)),
        table_(screen, terminal_width(screen)) {}

  Result<DemoReport> run();

 private:
  struct Node {
    NodeText text;
    std::string identity;
    std::vector<Figure> by_version;
    Path folder(const Path& demo) const { return demo / "nodes" / text.name; }
    Path frames(const Path& demo) const { return demo / "recordings" / "frames" / text.name; }
  };

  Result<void> make_text();
  Result<void> make_coordinator();
  Result<void> make_identities();
  Result<void> start_coordinator();
  Result<void> start_nodes();
  Result<void> submit();
  Result<void> watch();
  Result<void> finish_nodes();
  Result<void> make_report();

  void say(const std::string& text) {
    table_.note(fmt::format("{:>7}  {}", clock_text(seconds()), text));
  }
  void look_at_nodes();
  void show_rows(bool all);
  void show_status();
  OraclePlan oracle() const {
    return {llm_, options_.data.value_or(folder_ / "private"), folder_ / "oracle",
            options_.settings};
  }
  double seconds() const { return static_cast<double>(clock_.now() - began_) / 1000; }
  std::optional<double> seconds_left() const;
  std::string node_process(const Node& node) const { return "node-" + node.text.name; }

  const DemoOptions& options_;
  Path folder_;
  Stage stage_;
  LiveTable table_;
  SystemClock clock_;
  Instant began_ = clock_.now();

  std::vector<Node> nodes_;
  Path public_text_, slm_, llm_;
  std::string coordinator_identity_, campaign_;
  std::unique_ptr<Tap> tap_;
  std::optional<Enrolment> enrolment_;  // of a masked campaign
  Progress progress_;
  std::uint64_t shown_ = 0;  // versions that have a row
  std::string noted_phase_;
  int noted_restarts_ = 0;
  bool oracle_ = false;  // it was started
  DemoReport report_;
};

constexpr std::size_t kMaskedNodesMin = 5;  // four honest ones, if one in three may not be

Result<void> Demo::make_text() {
  TRY_ASSIGN(slm_, find_model("edge-slm"));
  TRY_ASSIGN(llm_, find_model("cloud-llm"));
  TextRoots roots = text_roots();
  std::vector<NodeText> texts;
  if (options_.data) {
    TRY_ASSIGN(texts, list_own_text(*options_.data));
  } else {
    TRY_ASSIGN(texts,
               write_private_text(folder_, roots, options_.nodes, options_.settings.private_bytes));
  }
  for (NodeText& text : texts) nodes_.push_back({std::move(text), {}, {}});
  if (options_.mode == Mode::kMasked && nodes_.size() < kMaskedNodesMin)
    return fail(Code::kBadInput,
                fmt::format("a masked campaign hides each update among those of others, and {} "
                            "nodes are too few for that: use {} or more, or --mode "
                            "trusted-coordinator, in which the coordinator opens every update",
                            nodes_.size(), kMaskedNodesMin));
  TRY_ASSIGN(public_text_, write_public_text(folder_, roots, options_.settings.public_bytes));
  return {};
}

// Masked campaigns take machines that an authority certified; else people exchange identities.
Result<void> Demo::make_coordinator() {
  if (options_.mode == Mode::kMasked) {
    say("an authority of its own, which is not the coordinator, says who belongs to the fleet");
    TRY_ASSIGN(Enrolment enrolment, Enrolment::open(stage_, folder_));
    enrolment_.emplace(std::move(enrolment));
    return enrolment_->coordinator();
  }
  TRY_ASSIGN(coordinator_identity_,
             stage_.ask("coordinator-init", {"coordinator", "init", "--dir", "coordinator"}));
  coordinator_identity_ = trimmed(coordinator_identity_);
  return {};
}

Result<void> Demo::make_identities() {
  TRY(make_folders(folder_ / "nodes"));
  if (enrolment_) {
    std::vector<Enrolment::Machine> machines;
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      machines.push_back({nodes_[i].text.name, tap_->endpoint(i)});
    say(fmt::format("the coordinator and {} nodes join with a token each", nodes_.size()));
    return enrolment_->nodes(machines);
  }
  std::vector<std::vector<std::string>> questions;
  for (const Node& node : nodes_)
    questions.push_back({"node", "init", "--dir", "nodes/" + node.text.name});
  TRY_ASSIGN(auto identities, stage_.ask_all("node-init", questions, 2));
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].identity = trimmed(identities[i]);
    TRY(stage_.ask("coordinator-allow", {"coordinator", "allow", "--dir", "coordinator",
                                         nodes_[i].text.name, nodes_[i].identity}));
  }
  return {};
}

Result<void> Demo::start_coordinator() {
  Path endpoint_file = folder_ / "coordinator" / "endpoint";
  auto run = [](std::string_view listen) {
    return std::vector<std::string>{"coordinator", "run",      "--dir",
                                    "coordinator", "--listen", std::string(listen)};
  };
  TRY(stage_.start("coordinator", run(kAnyPort), {}));
  std::string endpoint;
  TRY(stage_.wait_until("the coordinator to listen", kStartMs, [&] {
    auto text = read_file(endpoint_file, 1000);
    if (text && text->find('\n') != std::string::npos) endpoint = trimmed(*text);
    return !endpoint.empty();
  }));
  stage_.restart_with("coordinator", run(endpoint),
                      kRestarts);  // at the address that its nodes know
  TRY_ASSIGN(tap_, Tap::open(endpoint, nodes_.size(), folder_ / "recordings" / "wire"));
  return {};
}

Result<void> Demo::start_nodes() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    TRY(make_folders(node.frames(folder_), 0700));
    std::vector<std::string> words = {"node",
                                      "run",
                                      "--dir",
                                      "nodes/" + node.text.name,
                                      "--data",
                                      node.text.folder,
                                      "--model",
                                      slm_,
                                      "--threads",
                                      "1",
                                      "--name",
                                      node.text.name,
                                      "--exit-when-finished",
                                      "--baseline",
                                      "--record",
                                      node.frames(folder_)};
    if (!enrolment_)
      words.insert(words.end(), {"--coordinator", tap_->endpoint(i), "--coordinator-id",
                                 coordinator_identity_, "--trust-coordinator"});
    TRY(stage_.start(node_process(node), std::move(words), {.may_end = true}));
  }
  return {};
}

Result<void> Demo::submit() {
  const auto count = static_cast<std::uint32_t>(nodes_.size());
  CampaignChoices choices{options_.mode, options_.method, options_.rule, count, options_.seed, slm_,
                          llm_,          public_text_};
  CampaignFile file = demo_campaign(options_.settings, choices);
  report_.mode = name_of(file.plan.mode);
  report_.quorum = survivors_needed(file.plan, count);
  report_.noise = file.plan.privacy.on;
  report_.method = name_of(file.plan.method);
  report_.rule = name_of(file.plan.rule);
  TRY(write_file_durably(folder_ / "campaign.toml", as_bytes(to_toml(file))));
  TRY(stage_.ask("campaign-submit",
                 {"campaign", "submit", "campaign.toml", "--dir", "coordinator", "--json"}));
  return {};
}

Result<void> Demo::watch() {
  auto line = [&](std::string_view text) -> Result<void> {
    TRY_ASSIGN(progress_, parse_progress(text));
    return {};
  };
  auto between = [&]() -> Result<void> {
    look_at_nodes();
    show_rows(false);
    show_status();
    if (progress_.phase == "adapting" && !std::exchange(oracle_, true))
      TRY(start_oracle(stage_, oracle()));
    return tap_->health();
  };
  for (int tries = 0; progress_.phase != "finished"; ++tries) {
    auto followed = stage_.follow(
        "campaign-watch", {"campaign", "watch", "--dir", "coordinator", "--json"}, line, between);
    if (progress_.phase == "failed" || progress_.phase == "stopped")
      return fail(Code::kExpired, "the campaign " + progress_.phase + ": " + progress_.why +
                                      "; see " + (folder_ / "logs").string());
    if (followed) continue;
    // The coordinator was killed and is coming up again.
    if (followed.error().code != Code::kUnavailable || stage_.restarts_of("coordinator") == 0 ||
        tries >= kWatchTries)
      return followed;
    TRY(stage_.pause(kRetryMs));
  }
  campaign_ = progress_.campaign;
  return {};
}

void Demo::look_at_nodes() {
  for (Node& node : nodes_) node.by_version = read_metrics(node.folder(folder_));
}

// A version gets its row when every node has evaluated it, or when nobody will any more.
void Demo::show_rows(bool all) {
  std::uint64_t up = 0, down = 0;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    up += tap_->counts(i).up, down += tap_->counts(i).down;
  for (; shown_ <= options_.settings.rounds; ++shown_) {
    std::vector<Figure> now, before;
    bool passed = true;  // every node has gone on to a later version
    for (const Node& node : nodes_) {
      passed = passed && node.by_version.size() > shown_ + 1;
      if (shown_ >= node.by_version.size() || !node.by_version[shown_]) continue;
      now.push_back(node.by_version[shown_]);
      before.push_back(node.by_version[0]);
    }
    if (now.size() < nodes_.size() && !passed && !all) return;
    if (now.empty()) continue;
    table_.row({shown_, options_.settings.rounds, now.size(), nodes_.size(), mean_of(now),
                mean_of(before), up, down, seconds(), seconds_left()});
  }
}

std::optional<double> Demo::seconds_left() const {
  if (progress_.phase == "finished" || progress_.phase == "adapting") return std::nullopt;
  if (!progress_.seconds_left) return std::nullopt;
  return *progress_.seconds_left + options_.settings.after_rounds_s;
}

void Demo::show_status() {
  if (int restarts = stage_.restarts_of("coordinator"); restarts > noted_restarts_) {
    noted_restarts_ = restarts;
    say("the coordinator was killed; it was started again and goes on where it was");
  }
  if (progress_.phase == "adapting" && noted_phase_ != "adapting") {
    noted_phase_ = "adapting";
    say("the cloud model learns from the federated small model; the nodes train once more alone, "
        "and a cloud model on everything, to compare");
  }
  std::string text = progress_.phase.empty() ? "starting" : progress_.phase;
  if (progress_.phase == "gathering" || progress_.phase == "running" || progress_.phase == "queued")
    text = fmt::format("nodes train: {} of {} ready for round {}", progress_.nodes_ready,
                       nodes_.size(), progress_.version + 1);
  static constexpr std::string_view kOfARound[] = {"advertising", "sharing",   "collecting",
                                                   "agreeing",    "unmasking", "summing"};
  if (std::ranges::find(kOfARound, progress_.phase) != std::end(kOfARound))
    text = fmt::format("round {}: {}", progress_.version + 1, progress_.phase);
  if (progress_.phase == "adapting")
    text = fmt::format("cloud model: step {} of {}", progress_.adapt_step, progress_.adapt_total);
  table_.status(fmt::format("  {}, {}", text, duration_text(seconds())));
}

Result<void> Demo::finish_nodes() {
  auto all_ended = [&] {
    return std::none_of(nodes_.begin(), nodes_.end(),
                        [&](const Node& node) { return stage_.is_running(node_process(node)); });
  };
  table_.status("  nodes write their reports");
  TRY(stage_.wait_until("the nodes to write their reports", kNodeEndMs, all_ended));
  look_at_nodes();
  show_rows(true);
  for (const Node& node : nodes_) {
    NodeFigures figures;
    figures.name = node.text.name;
    figures.domain = node.text.domain;
    figures.by_version = node.by_version;
    TRY(read_node_report(node.folder(folder_), figures));
    report_.nodes.push_back(std::move(figures));
  }
  return {};
}

Result<void> Demo::make_report() {
  Path campaign = folder_ / "coordinator" / "campaigns" / campaign_;
  std::vector<NodeText> texts;
  RecordingFolders recordings{folder_ / "recordings" / "wire", {}};
  for (const Node& node : nodes_) {
    texts.push_back(node.text);
    recordings.frames.push_back(node.frames(folder_));
  }
  if (!oracle_) TRY(start_oracle(stage_, oracle()));  // adapting was over before anybody looked
  AuditPlan audit{.llm = llm_,
                  .public_only_adapter = campaign / "llm_adapter_public_only",
                  .adapter = campaign / "llm_adapter",
                  .oracle = folder_ / "oracle",
                  .proxy_base = slm_,
                  .proxy_tuned = campaign / "slm_adapter",
                  .proxy_weight = options_.settings.proxy_weight,
                  .folders = {},
                  .window = options_.settings.window};
  for (const NodeText& text : texts) audit.folders.push_back(text.folder);
  table_.status("  the auditor trains a cloud model on all private text, to compare");
  TRY(stage_.wait_until("the oracle", kOracleMs, [&] { return !stage_.is_running("oracle"); }));
  table_.status("");
  say("the auditor measures the cloud model on the held-out private text");
  TRY_ASSIGN(report_.llm_by_node, audit_cloud_model(stage_, audit));
  report_.llm = mean_of(report_.llm_by_node);
  report_.memory_bytes_peak = stage_.memory_bytes_peak();
  stage_.stop();
  tap_.reset();  // the recordings are whole
  say("what left the nodes is searched for private text");
  TRY_ASSIGN(report_.wire, audit_recordings(recordings, texts, slm_));
  report_.rounds = progress_.version;
  TRY_ASSIGN(report_.slm_adapter, copy_out(campaign / "slm_adapter", folder_));
  TRY_ASSIGN(report_.llm_adapter, copy_out(campaign / "llm_adapter", folder_));
  TRY_ASSIGN(report_.llm_proxy, copy_out(campaign / "llm_proxy.json", folder_));
  report_.report = folder_ / "report.html";
  report_.command = options_.command;
  report_.seconds = seconds();
  TRY(write_file_durably(report_.report, as_bytes(to_html(report_))));
  TRY(write_file_durably(folder_ / "report.json", as_bytes(to_text(to_json(report_), 2) + "\n")));
  if (!options_.keep) {
    std::error_code ignored;
    std::filesystem::remove_all(folder_ / "recordings", ignored);
  }
  return {};
}

Result<DemoReport> Demo::run() {
  TRY(make_text());
  say(fmt::format(
      "{} nodes with private text, one coordinator; {} rounds of {} with server rule {}",
      nodes_.size(), options_.settings.rounds, name_of(options_.method), name_of(options_.rule)));
  TRY(make_coordinator());
  TRY(start_coordinator());
  TRY(make_identities());
  stage_.measure_memory_from_now();  // the root key's passphrase took 256 MiB for a moment
  TRY(start_nodes());
  TRY(submit());
  TRY(watch());
  TRY(finish_nodes());
  TRY(make_report());
  table_.clear();
  return std::move(report_);
}

}  // namespace

Result<DemoReport> run_demo(const DemoOptions& options, const StopSignal& stop, std::FILE* screen) {
  TRY_ASSIGN(Workspace workspace, Workspace::open(options.dir));
  TRY_ASSIGN(Stage stage, Stage::open(workspace.folder(), stop));
  return Demo(options, workspace.folder(), std::move(stage), screen).run();
}

}  // namespace freshet::demo
