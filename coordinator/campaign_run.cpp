#include "coordinator/campaign_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/crash_point.h"
#include "base/limits.h"
#include "base/log.h"
#include "coordinator/campaign_record.h"
#include "coordinator/campaign_store.h"
#include "coordinator/decision.h"
#include "model/files/model_parts.h"
#include "model/question.h"
#include "protocol/codec.h"

namespace freshet {
namespace {

Result<Layout> layout_of(const CampaignPlan& plan, const ModelConfig& config) {
  if (plan.logits.on) return answer_layout(plan.logits.rows, plan.logits.candidates);
  return adapter_layout(config, {plan.lora.rank, plan.lora.alpha, plan.lora.targets});
}

Result<ModelConfig> read_model(const CampaignRecord& record) {
  TRY_ASSIGN(ModelFiles files, open_model_folder(record.file.model));
  TRY_ASSIGN(Digest digest, digest_of_held(record.file.plan, files));
  if (digest != record.file.plan.model)
    return fail(Code::kBadInput, fmt::format("{}: not the model that campaign {} was submitted "
                                             "with ({}, want {}); put that one back",
                                             record.file.model, campaign_name(record.id),
                                             short_hex(digest), short_hex(record.file.plan.model)));
  return read_config(files);
}

// How soon it is noticed that time has passed, which takes a look at every node.
constexpr std::int64_t kLookMs = 100;

// What follows from the event is only said, or made again after a crash: it becomes durable with
// others. Anything else is done to files that an older state may need.
template <class... Kinds>
bool is_any_of(const auto& variant) {
  return (std::holds_alternative<Kinds>(variant) || ...);
}
bool can_wait(const std::vector<campaign::Effect>& effects, const campaign::Event& event) {
  using namespace campaign;
  return !is_any_of<GroupSummed, HeldBack, RolledBack, Summed, Combined>(event) &&
         std::none_of(effects.begin(), effects.end(), [](const Effect& effect) {
           return is_any_of<DropUploads, SendReceipt, SendFinished, CombineGroups>(effect);
         });
}

std::uint64_t random_seed() {
  std::array<std::uint8_t, 8> bytes{};
  random_bytes(bytes);
  std::uint64_t seed = 0;
  std::memcpy(&seed, bytes.data(), bytes.size());
  return seed;
}

}  // namespace

CampaignRun::CampaignRun(Shared shared, Path folder, CampaignPlan plan, ModelConfig model,
                         Layout layout, BlobStore adapters, BlobStore uploads, BlobStore documents)
    : shared_(shared),
      folder_(std::move(folder)),
      plan_(std::move(plan)),
      model_(std::move(model)),
      layout_(std::move(layout)),
      adapters_(std::move(adapters)),
      uploads_(std::move(uploads)),
      documents_(std::move(documents)) {}

CampaignRun::~CampaignRun() { shared_.peers.forget_held(); }

Result<std::unique_ptr<CampaignRun>> CampaignRun::open(Shared shared, const CampaignRecord& record,
                                                       Path folder, Instant now) {
  if (record.file.plan.mode == Mode::kMasked && shared.member == nullptr)
    return fail(Code::kBadInput,
                "campaign \"" + record.file.plan.name +
                    "\" is masked, and this coordinator's folder has no certificate any more: put "
                    "it back");
  TRY_ASSIGN(ModelConfig config, read_model(record));
  TRY_ASSIGN(Layout layout, layout_of(record.file.plan, config));
  TRY(make_folders(folder / "moments", 0700));
  TRY_ASSIGN(BlobStore adapters, BlobStore::open(folder / "adapters"));
  TRY_ASSIGN(BlobStore uploads, BlobStore::open(folder / "uploads"));
  TRY_ASSIGN(BlobStore documents, BlobStore::open(folder / "documents"));
  std::unique_ptr<CampaignRun> run(new CampaignRun(shared, std::move(folder), record.file.plan,
                                                   config, std::move(layout), std::move(adapters),
                                                   std::move(uploads), std::move(documents)));
  for (BlobStore* store : {&run->adapters_, &run->uploads_, &run->documents_})
    store->defer_to(run->unsynced_);
  if (const PrivacyPlan& privacy = record.file.plan.privacy; privacy.on) {
    TRY_ASSIGN(LedgerFile ledger,
               LedgerFile::open(run->folder_ / "privacy.ledger", Ledger::Owner::kCampaign,
                                Budget{privacy.epsilon, privacy.delta}));
    run->ledger_.emplace(std::move(ledger));
  }
  run->robust_ = record.file.robust;
  run->model_folder_ = record.file.model;
  run->question_file_ = record.file.adapt.question;
  TRY(run->start_or_recover(record.id, now));
  return run;
}

Result<void> CampaignRun::start_or_recover(CampaignId id, Instant now) {
  TRY_ASSIGN(journal_, shared_.open_journal(folder_ / "journal"));
  TRY_ASSIGN(std::optional<Snapshot> snapshot, journal_->latest_snapshot());
  if (!snapshot) {
    TRY_ASSIGN(const Digest adapter, first_version());
    campaign::Rules rules = campaign::rules_of(plan_);
    rules.groups = robust_.groups;
    if (rules.groups > 1) rules.groups_min = groups_needed(group_rule(robust_, plan_));
    TRY(unsynced_.commit());
    TRY(journal_->write_snapshot(campaign::encode(campaign::begin(id, rules, adapter, now))));
  }
  TRY(reload());
  if (state_.id != id)
    return fail(Code::kCorrupt, folder_.string() + ": the journal belongs to another campaign");
  TRY_ASSIGN(EventLog events, EventLog::open(folder_ / "events.jsonl"));
  events_.emplace(std::move(events));
  events_->add(state_.published);
  TRY(drop_receipts());
  TRY(audit());
  if (!adapters_.has(state_.adapter))
    return fail(Code::kCorrupt,
                fmt::format("{}: adapter {} of version {} is missing", folder_.string(),
                            short_hex(state_.adapter), state_.version.value));
  TRY(sweep());
  TRY(feed(campaign::Recovered{now}, now));
  if (unsaid_) TRY(act(*unsaid_, now));  // perhaps nobody was told of the last round's end
  for (const campaign::Effect& effect : campaign::resume(state_, now)) TRY(act(effect, now));
  TRY(drain(now));
  return commit(now);
}

// What nodes begin with: an adapter, or a question.
Result<Digest> CampaignRun::first_version() {
  if (!plan_.logits.on) return store_floats(adapters_, initial_adapter(layout_, plan_.lora.seed));
  TRY_ASSIGN(const MappedFile file, MappedFile::open(question_file_));
  TRY_ASSIGN(const Digest digest, adapters_.put(file.view()));
  if (digest == plan_.logits.question) return digest;
  TRY(adapters_.remove(digest));
  return fail(Code::kBadInput,
              fmt::format("{}: not the question that the campaign was submitted with ({}, want "
                          "{}); put that one back",
                          question_file_, short_hex(digest), short_hex(plan_.logits.question)));
}

// What a process before this one left and nobody will ask for.
Result<void> CampaignRun::sweep() {
  std::set<Digest> wanted;
  if (const round::Round* open = campaign::open_round(state_))
    for (const round::Survivor& survivor : round::survivors(*open)) wanted.insert(survivor.upload);
  TRY(sweep_adapters());
  TRY(sweep_folder("uploads", wanted));
  return sweep_documents();
}

Result<void> CampaignRun::sweep_folder(const char* name, const std::set<Digest>& wanted) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / name, error)) {
    auto digest = digest_from_hex(entry.path().filename().string());
    if (!digest || wanted.contains(*digest)) continue;
    std::filesystem::remove(entry.path(), error);
    if (error)
      return fail(Code::kBadInput,
                  "cannot remove " + entry.path().string() + ": " + error.message());
  }
  return {};
}

Result<void> CampaignRun::reload() {
  TRY_ASSIGN(std::optional<Snapshot> snapshot, journal_->latest_snapshot());
  if (!snapshot) return fail(Code::kCorrupt, folder_.string() + ": the journal lost its snapshot");
  TRY_ASSIGN(state_, campaign::decode_campaign(snapshot->state));
  unsaid_.reset();
  oldest_entry_ = next_entry_ = snapshot->next_sequence;
  return journal_->replay(oldest_entry_, [this](std::uint64_t number,
                                                ByteView entry) -> Result<void> {
    next_entry_ = number + 1;
    std::vector<campaign::Effect> effects;
    TRY(campaign::replay(state_, entry, &effects));
    for (const campaign::Effect& effect : effects)
      if (const auto* receipt = std::get_if<campaign::SendReceipt>(&effect)) unsaid_ = *receipt;
    return {};
  });
}

Result<void> CampaignRun::tick(Instant now) {
  if (full_until_) return look_for_room(now);
  TRY(look_at_gate(now));
  if ((owed_ || owed_groups_) && !candidate_ && now >= sum_again_at_) TRY(make_next(now));
  look_at_trust(now);
  if (looks_ || now - looked_at_ >= kLookMs) TRY(look_what_is_due(now));
  TRY(drain(now));
  TRY(commit(now));
  const bool tidies = tidy_up_at_ && now >= *tidy_up_at_ && unwritten_.empty();
  return tidies ? tidy_up() : Result<void>();
}

Result<void> CampaignRun::look_what_is_due(Instant now) {
  looks_ = false;
  looked_at_ = now;
  for (campaign::Event& event : campaign::due(state_, now, random_seed())) {
    auto* opened = std::get_if<campaign::RoundOpened>(&event);
    if (opened != nullptr && state_.rules.masked) {
      TRY_ASSIGN(const bool described, describe(*opened));
      if (!described) continue;
    }
    pending_.push_back(std::move(event));
  }
  return {};
}

Result<void> CampaignRun::feed(campaign::Event event, Instant now) {
  pending_.push_back(std::move(event));
  return drain(now);
}

Result<void> CampaignRun::drain(Instant now) {
  while (!pending_.empty()) {
    const campaign::Event next = std::move(pending_.front());
    pending_.pop_front();
    TRY(feed_one(next, now));
  }
  return {};
}

Result<void> CampaignRun::feed_one(const campaign::Event& event, Instant now) {
  const VersionId before = state_.version;
  campaign::Step step = campaign::step(std::move(state_), event);
  if (step.accepted && std::holds_alternative<campaign::RoundOpened>(event))
    log::info("round {} opens", step.next.last_round.value);
  if (step.durable) {
    shared_.peers.hold();
    looks_ = true;
    if (unwritten_.empty()) unwritten_since_ = now;
    unwritten_.push_back(campaign::encode(event));
    decided_ = decided_ || decision_of(event).has_value();
  }
  state_ = std::move(step.next);
  if (!can_wait(step.effects, event)) {
    TRY_ASSIGN(const bool durable, write_down(step.effects, now));
    if (!durable) return {};
  }
  TRY(follow_round(now));
  if (step.durable) crash_point("event followed");
  for (const campaign::Effect& effect : step.effects) TRY(act(effect, now));
  if (step.durable) crash_point("effects done");
  if (const auto* held_back = std::get_if<campaign::HeldBack>(&event); held_back && step.accepted)
    events_->held_back(held_back->round, held_back->why);
  if (std::holds_alternative<campaign::GroupSummed>(event) && !state_.groups.empty())
    events_->add(state_.groups.back(), state_.version);
  look_after_versions(before, now);
  return {};
}

// Brings the audit log to where the journal is, from wherever an earlier try or process ended.
Result<void> CampaignRun::audit() {
  if (shared_.audit == nullptr) return {};
  const std::string name = campaign_name(state_.id);
  std::uint64_t from = oldest_entry_;
  if (const auto last = shared_.audit->last_entry(name)) from = std::max(from, *last + 1);
  if (from >= next_entry_) return {};
  auto told = journal_->replay(from, [&](std::uint64_t number, ByteView entry) -> Result<void> {
    TRY_ASSIGN(const campaign::Event event, campaign::decode_event(entry));
    std::optional<Decision> decision = decision_of(event);
    if (!decision) return {};
    return shared_.audit->add_entry("coordinator", decision->what, std::move(decision->about), name,
                                    number);
  });
  audit_behind_ = !told;
  if (told || told.error().code != Code::kNoSpace) return told;
  log::error("{}; what was decided is added once there is room", told.error().what);
  return {};
}

Result<void> CampaignRun::act(const campaign::Effect& effect, Instant now) {
  return std::visit([&](const auto& each) { return on(each, now); }, effect);
}

void CampaignRun::announce_to(NodeId node, Instant now) {
  const std::uint64_t bytes =
      adapters_.size_of(state_.adapter).value_or(layout_.size * sizeof(float));
  Announce announce{state_.id, plan_, state_.version, state_.adapter, bytes, {}};
  announce.layout = round_shape(plan_, layout_, state_.version).digest;
  announce.frames = kNewestForm;
  shared_.peers.send(node, announce, now);
}

Result<void> CampaignRun::on(const campaign::SendAnnounce& effect, Instant now) {
  announce_to(effect.node, now);
  return {};
}

Result<void> CampaignRun::on(const campaign::SendInvite& effect, Instant now) {
  shared_.peers.send(effect.node,
                     Invite{state_.id, effect.round, effect.base, effect.cohort,
                            effect.remaining_ms, shared_.identity.open.sealing},
                     now);
  return {};
}

Result<void> CampaignRun::on(const campaign::SendAccepted& effect, Instant now) {
  TRY_ASSIGN(std::uint64_t size, uploads_.size_of(effect.upload));
  shared_.peers.send(effect.node, ChunkAck{effect.round, effect.upload, size}, now);
  return {};
}

Result<void> CampaignRun::on(const campaign::SendReceipt& effect, Instant now) {
  const Receipt receipt = receipt_of(effect);
  for (NodeId node : effect.to) shared_.peers.send(node, receipt, now);
  log::info("round {} {}: {} of {} nodes, version {}", effect.round.value,
            effect.published ? "published" : "aborted", effect.survivors.size(), effect.to.size(),
            effect.version.value);
  return {};
}

Result<void> CampaignRun::on(const campaign::SendFinished& effect, Instant now) {
  // The last version is announced too: nodes fetch it, but nobody trains from it.
  if (std::holds_alternative<campaign::Finished>(state_.phase)) announce_to(effect.node, now);
  shared_.peers.send(effect.node, Finished{state_.id, effect.version}, now);
  return {};
}

Result<void> CampaignRun::on(const campaign::SendRefused& effect, Instant now) {
  shared_.peers.refuse(effect.node, effect.code, effect.why, now);
  return {};
}

Result<void> CampaignRun::on(const campaign::AddAndStep& effect, Instant now) {
  owed_ = effect;
  candidate_.reset();
  return make_next(now);
}

Result<void> CampaignRun::on(const campaign::DropUploads& effect, Instant) {
  for (const Digest& upload : effect.uploads) TRY(uploads_.remove(upload));
  return {};
}

SumPlan CampaignRun::sum_plan(RoundId round, VersionId base,
                              std::span<const round::Survivor> parts) const {
  SumPlan plan{state_.id, round, base, state_.adapter, parts, folder_ / "moments", robust_.rule};
  plan.begins_anew = campaign::begins_anew(state_);
  return plan;
}

// What was made of a sum is lost with the event that the disk had no room for.
void CampaignRun::owe_again(Instant now) {
  for (const campaign::Effect& effect : campaign::resume(state_, now)) {
    if (const auto* sum = std::get_if<campaign::AddAndStep>(&effect)) owed_ = *sum;
    if (const auto* groups = std::get_if<campaign::CombineGroups>(&effect)) owed_groups_ = *groups;
  }
  sum_again_at_ = now + limits::kRetryMs;
}

// A full disk is waited for.
Result<void> CampaignRun::make_next(Instant now) {
  auto made = owed_groups_          ? combine_groups(now)
              : state_.rules.masked ? sum_masked(now)
                                    : sum_opened(now);
  if (made || made.error().code != Code::kNoSpace) return made;
  log::error("version {}: {}; tried again in {} s", state_.version.value + 1, made.error().what,
             limits::kRetryMs / 1000);
  sum_again_at_ = now + limits::kRetryMs;
  return {};
}

Result<void> CampaignRun::sum_opened(Instant now) {
  const RoundShape shape = round_shape(plan_, layout_, owed_->base);
  TRY_ASSIGN(Sum sum, add_and_step({adapters_, uploads_}, shape, shared_.identity,
                                   sum_plan(owed_->round, owed_->base, owed_->survivors)));
  if (sum.spoiled.empty()) return promote({.round = owed_->round, .adapter = sum.adapter}, now);
  pending_.push_back(campaign::Spoiled{owed_->round, std::move(sum.spoiled), now});
  owed_.reset();
  return {};
}

std::vector<int> CampaignRun::descriptors() const {
  return gate_ ? std::vector<int>{gate_->descriptor()} : std::vector<int>{};
}

}  // namespace freshet
