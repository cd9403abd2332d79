#include "coordinator/campaign_queue.h"

#include <fmt/format.h>

#include <cstring>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "coordinator/cloud_model_checks.h"
#include "model/files/model_parts.h"
#include "model/files/peft_adapter.h"
#include "model/text/corpus.h"

namespace freshet {
namespace {

constexpr int kAdaptTriesMax = 3;

CampaignId random_id() {
  CampaignId id;
  std::array<std::uint8_t, 8> bytes{};
  random_bytes(bytes);
  std::memcpy(&id.value, bytes.data(), bytes.size());
  return id;
}

std::string absolute(const std::string& path, const Path& base) {
  if (path.empty() || Path(path).is_absolute()) return path;
  return (base / path).lexically_normal().string();
}

}  // namespace

Result<std::unique_ptr<CampaignQueue>> CampaignQueue::open(Shared shared, Path folder,
                                                           Instant now) {
  TRY(make_folders(folder / "campaigns", 0700));
  std::unique_ptr<CampaignQueue> queue(new CampaignQueue(shared, std::move(folder)));
  TRY_ASSIGN(queue->records_, load_campaigns(queue->folder_));
  const CampaignRecord* latest = queue->latest();
  const bool reopen = latest != nullptr && latest->state >= CampaignState::kRunning &&
                      latest->state <= CampaignState::kFinished;
  if (!reopen) return queue;
  auto begun = queue->begin(*queue->mutable_record(latest->id), now);
  if (begun) return queue;
  if (!has_ended(latest->state)) return tl::unexpected(begun.error());
  log::warning("{}; nodes that come late do not get its last adapter", begun.error().what);
  return queue;
}

const CampaignRecord* CampaignQueue::find(CampaignId id) const {
  for (const CampaignRecord& record : records_)
    if (record.id == id) return &record;
  return nullptr;
}

CampaignRecord* CampaignQueue::mutable_record(CampaignId id) {
  return const_cast<CampaignRecord*>(find(id));
}

const CampaignRecord* CampaignQueue::latest() const {
  for (const CampaignRecord& record : records_)
    if (!has_ended(record.state)) return &record;
  return records_.empty() ? nullptr : &records_.back();
}

CampaignRecord* CampaignQueue::active() {
  const CampaignRecord* first = latest();
  return first == nullptr || has_ended(first->state) ? nullptr : mutable_record(first->id);
}

Result<CampaignRecord> CampaignQueue::prepare(std::string_view toml, std::string_view source,
                                              const Path& base) const {
  if (records_.size() >= limits::kCampaignsMax)
    return fail(Code::kNoSpace, fmt::format("{}: {} campaigns already; move old ones away",
                                            folder_.string(), records_.size()));
  CampaignRecord record;
  TRY_ASSIGN(record.file, parse_campaign_file(toml, source));
  record.file.model = absolute(record.file.model, base);
  record.file.adapt.llm = absolute(record.file.adapt.llm, base);
  record.file.adapt.public_text = absolute(record.file.adapt.public_text, base);
  record.file.adapt.question = absolute(record.file.adapt.question, base);
  record.file.robust.public_text = absolute(record.file.robust.public_text, base);
  if (!record.file.robust.public_text.empty())
    TRY(open_text_folder(record.file.robust.public_text));
  TRY_ASSIGN(ModelFiles files, open_model_folder(record.file.model));
  TRY(take_question(record.file));
  TRY_ASSIGN(Digest digest, digest_of_held(record.file.plan, files));
  if (record.file.plan.model != Digest{} && record.file.plan.model != digest)
    return fail(Code::kBadInput,
                fmt::format("{}: the file names model {}, this folder holds {}", record.file.model,
                            short_hex(record.file.plan.model), short_hex(digest)));
  record.file.plan.model = digest;
  TRY(validate(record.file.plan));
  if (record.file.plan.mode == Mode::kMasked && shared_.member == nullptr)
    return fail(Code::kBadInput,
                "a masked campaign takes nodes that an authority certified, and this coordinator "
                "belongs to none: run `freshet coordinator join TOKEN`, or write mode = "
                "\"trusted-coordinator\"");
  TRY_ASSIGN(ModelConfig config, read_config(files));
  const LoraPlan& lora = record.file.plan.lora;
  TRY(adapter_layout(config, {lora.rank, lora.alpha, lora.targets}));
  TRY(check_adapt(record.file, files));
  record.id = random_id();
  record.number = records_.empty() ? 1 : records_.back().number + 1;
  return record;
}

Result<CampaignId> CampaignQueue::submit(std::string_view toml, std::string_view source,
                                         const Path& base) {
  TRY_ASSIGN(CampaignRecord record, prepare(toml, source, base));
  TRY(save(folder_, record));
  log::info("campaign {} \"{}\" submitted", campaign_name(record.id), record.file.plan.name);
  records_.push_back(std::move(record));
  return records_.back().id;
}

Result<void> CampaignQueue::stop(CampaignId id, Instant now) {
  CampaignRecord* record = mutable_record(id);
  if (record == nullptr)
    return fail(Code::kBadInput,
                "no campaign " + campaign_name(id) + "; see `freshet campaign ls`");
  if (has_ended(record->state))
    return fail(Code::kRefused, fmt::format("campaign {} is {} already", campaign_name(id),
                                            name_of(record->state)));
  TRY(set_state(*record, CampaignState::kStopped, "stopped by its operator"));
  if (!run_ || run_->id() != id) return {};
  record->version = run_->state().version;
  std::vector<NodeId> told;
  for (const auto& [node, known] : run_->state().nodes) told.push_back(node);
  end_run();
  adaptation_.reset();
  for (const NodeId node : told) say_finished(node, *record, now);
  return {};
}

// What it had not written down yet did not happen, and what it was to say then is not said.
void CampaignQueue::end_run() {
  run_.reset();
  shared_.peers.forget_held();
}

Result<void> CampaignQueue::roll_back(CampaignId id, VersionId to, Instant now) {
  if (run_ && run_->id() == id && find(id)->state == CampaignState::kRunning)
    return run_->roll_back(to, now);
  return fail(Code::kRefused, fmt::format("campaign {} is {}: only a running one can go back",
                                          campaign_name(id), name_of(find(id)->state)));
}

void CampaignQueue::say_finished(NodeId node, const CampaignRecord& record, Instant now) {
  shared_.peers.send(node, Finished{record.id, record.version}, now);
}

Result<void> CampaignQueue::receive(NodeId node, const NodeMessage& message, Instant now) {
  if (const auto* hello = std::get_if<Hello>(&message)) hellos_[node] = *hello;
  if (run_) return run_->receive(node, message, now);
  const auto* heartbeat = std::get_if<Heartbeat>(&message);
  const CampaignRecord* theirs = heartbeat == nullptr ? nullptr : find(heartbeat->campaign);
  if (theirs != nullptr && has_ended(theirs->state)) {
    say_finished(node, *theirs, now);
  } else {
    shared_.peers.refuse(node, Code::kUnavailable,
                         "no campaign is running; wait for one to be submitted", now);
  }
  return {};
}

std::vector<int> CampaignQueue::descriptors() const {
  std::vector<int> all = run_ ? run_->descriptors() : std::vector<int>{};
  if (adaptation_) all.push_back(adaptation_->descriptor());
  return all;
}

Result<void> CampaignQueue::set_state(CampaignRecord& record, CampaignState state,
                                      std::string why) {
  CampaignRecord next = record;
  next.state = state;
  next.why = std::move(why);
  if (shared_.audit != nullptr)
    TRY(shared_.audit->add("coordinator", "campaign-state",
                           {{"campaign", campaign_name(next.id)},
                            {"state", std::string(name_of(state))},
                            {"why", next.why.substr(0, kAuditWhyBytesMax)}}));
  TRY(save(folder_, next));
  record = std::move(next);
  log::info("campaign {} \"{}\" is {}{}{}", campaign_name(record.id), record.file.plan.name,
            name_of(state), record.why.empty() ? "" : ": ", record.why);
  return {};
}

// A full disk stops a campaign for a while, not the coordinator.
Result<void> CampaignQueue::tick(Instant now) {
  if (run_) TRY(run_->tick(now));
  if (now < try_again_at_) return {};
  auto advanced = advance(now);
  if (advanced || advanced.error().code != Code::kNoSpace) return advanced;
  log::error("{}; tried again in {} s", advanced.error().what, limits::kRetryMs / 1000);
  try_again_at_ = now + limits::kRetryMs;
  return {};
}

Result<void> CampaignQueue::advance(Instant now) {
  CampaignRecord* record = active();
  if (record == nullptr) return {};
  if (record->state == CampaignState::kQueued) {
    TRY(begin(*record, now));
    return set_state(*record, CampaignState::kRunning);
  }
  return move_on(*record, now);
}

Result<void> CampaignQueue::begin(CampaignRecord& record, Instant now) {
  end_run();
  TRY_ASSIGN(run_, CampaignRun::open({shared_.peers, shared_.identity, shared_.open_journal,
                                      shared_.trainer, shared_.member, shared_.audit},
                                     record, campaign_folder(folder_, record.id), now));
  began_at_ = now;
  began_version_ = run_->state().version.value;
  adapt_failures_ = 0;
  for (const auto& [node, hello] : hellos_) TRY(run_->receive(node, hello, now));
  return {};
}

Result<void> CampaignQueue::move_on(CampaignRecord& record, Instant now) {
  if (record.state == CampaignState::kAdapting) return adapt(record, now);
  if (const auto* failed = std::get_if<campaign::Failed>(&run_->state().phase))
    return set_state(record, CampaignState::kFailed, failed->why);
  if (std::holds_alternative<campaign::Finished>(run_->state().phase))
    return rounds_are_done(record);
  return {};
}

Result<void> CampaignQueue::rounds_are_done(CampaignRecord& record) {
  record.version = run_->state().version;
  record.adapter = run_->state().adapter;
  const LoraPlan& lora = record.file.plan.lora;
  if (!record.file.plan.logits.on) {
    TRY_ASSIGN(std::vector<float> adapter, run_->adapter());
    TRY(write_peft_folder(
        campaign_folder(folder_, record.id) / "slm_adapter", run_->model(),
        {{lora.rank, lora.alpha, lora.targets}, std::move(adapter), record.file.model}));
  }
  TRY_ASSIGN(const Json versions, run_->events().versions());
  const Json report{{"campaign", campaign_name(record.id)},
                    {"name", record.file.plan.name},
                    {"mode", std::string(name_of(record.file.plan.mode))},
                    {"versions", versions}};
  TRY(write_file_durably(campaign_folder(folder_, record.id) / "report.json",
                         as_bytes(to_text(report) + "\n"), 0600));
  return set_state(record, CampaignState::kAdapting);
}

Result<void> CampaignQueue::adapt(CampaignRecord& record, Instant now) {
  if (!record.file.adapt.enabled) return set_state(record, CampaignState::kFinished);
  Result<bool> done = false;
  if (!adaptation_) {
    if (auto unchanged = check_unchanged(record.file); !unchanged) {
      if (waits_for_ != unchanged.error().what)
        log::error("{}; the cloud model learns once that is put right", unchanged.error().what);
      waits_for_ = unchanged.error().what;
      try_again_at_ = now + limits::kRetryMs;
      return {};
    }
    waits_for_.clear();
    TRY_ASSIGN(std::vector<float> teacher, run_->adapter());
    TRY(publish_without_training(record.file, campaign_folder(folder_, record.id), run_->model(),
                                 teacher));
    if (!trains(record.file.adapt)) return set_state(record, CampaignState::kFinished);
    auto started = Adaptation::start(
        {record.file, std::move(teacher), campaign_folder(folder_, record.id), shared_.trainer});
    if (started) {
      adaptation_.emplace(std::move(*started));
    } else {
      done = tl::unexpected(started.error());
    }
  } else {
    done = adaptation_->poll();
  }
  if (done && *done) {
    adaptation_.reset();
    return set_state(record, CampaignState::kFinished);
  }
  if (done) return {};
  adaptation_.reset();
  if (done.error().code == Code::kNoSpace) return tl::unexpected(done.error());
  if (done.error().code == Code::kBadInput || ++adapt_failures_ >= kAdaptTriesMax)
    return set_state(
        record, CampaignState::kFailed,
        done.error().what + "; what the rounds gave is there, the cloud model is unchanged");
  log::warning("{}; tried again", done.error().what);
  try_again_at_ = now + (limits::kRetryMs << adapt_failures_);
  return {};
}

Json CampaignQueue::versions(const CampaignRecord& record) const {
  if (!run_ || run_->id() != record.id) return Json::object();
  Json kept = Json::array();
  for (const campaign::Published& each : run_->state().published) kept.push_back(to_json(each));
  return {{"versions", std::move(kept)}};
}

Json CampaignQueue::progress(const CampaignRecord& record, Instant now) const {
  Json json = {{"campaign", campaign_name(record.id)},
               {"name", record.file.plan.name},
               {"phase", std::string(name_of(record.state))},
               {"round", 0},
               {"rounds", record.file.plan.rounds},
               {"version", record.version.value},
               {"nodes_ready", 0},
               {"nodes_alive", 0},
               {"cohort", 0},
               {"survivors", 0},
               {"eta_s", nullptr},
               {"adapt", nullptr}};
  if (!record.why.empty()) json["why"] = record.why;
  if (!waits_for_.empty() && record.state == CampaignState::kAdapting) json["why"] = waits_for_;
  if (adaptation_ && record.state == CampaignState::kAdapting) {
    const auto steps = adaptation_->steps();
    json["adapt"] = {{"step", steps.done}, {"total", steps.total}};
  }
  if (!run_ || run_->id() != record.id) return json;
  const campaign::Campaign& state = run_->state();
  json["heldout_bpb"] = nullptr;
  for (const campaign::Published& each : state.published) {
    const Json version = to_json(each);
    if (version["heldout_bpb_before"].is_null()) continue;
    json["heldout_bpb"] = version["heldout_bpb_before"];
    json["heldout_version"] = each.version.value - 1;
  }
  if (!state.published.empty() && state.published.back().repeats)
    json["repeats"] = state.published.back().repeats->value;
  if (state.rollback) json["going_back_to"] = state.rollback->to.value;
  if (state.rules.groups > 1) {
    json["groups"] = state.rules.groups;
    json["groups_summed"] = state.groups.size();
  }
  json["round"] = state.last_round.value;
  json["version"] = state.version.value;
  json["nodes_ready"] = campaign::ready_count(state);
  std::uint64_t alive = 0;
  for (const auto& [id, node] : state.nodes) alive += node.here ? 1 : 0;
  json["nodes_alive"] = alive;
  if (const round::Round* open = campaign::open_round(state)) {
    json["cohort"] = open->cohort.size();
    json["survivors"] = round::survivors(*open).size();
    if (record.state == CampaignState::kRunning)
      json["phase"] = std::holds_alternative<campaign::Summing>(state.phase)
                          ? (run_->waits_for_gate() ? "gate" : "summing")
                          : std::string(round::name_of(open->phase));
  } else if (record.state == CampaignState::kRunning) {
    json["phase"] = !std::holds_alternative<campaign::Combining>(state.phase) ? "gathering"
                    : run_->waits_for_gate()                                  ? "gate"
                                                                              : "combining";
    if (campaign::spent_count(state) > 0 && state.groups.empty())
      json["why"] = campaign::why_nobody_came(state);
  }
  const std::uint64_t made = state.version.value - began_version_;
  if (record.state == CampaignState::kRunning && made > 0)
    json["eta_s"] =
        static_cast<double>((now - began_at_) * static_cast<std::int64_t>(record.file.plan.rounds -
                                                                          state.version.value)) /
        static_cast<double>(made) / 1000.0;
  return json;
}

}  // namespace freshet
