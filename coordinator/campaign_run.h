#pragma once
// One campaign under way: the pure machine with its journal, its blobs and its data plane. Messages
// and time go in, answers go out through Peers; every durable event is in the journal before
// anything is answered. Opening it again after a crash at any point carries the campaign on.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "coordinator/campaign.h"
#include "coordinator/campaign_store.h"
#include "coordinator/chunk_digests.h"
#include "coordinator/event_log.h"
#include "coordinator/gate.h"
#include "coordinator/masked_sum.h"
#include "coordinator/peers.h"
#include "coordinator/round_book.h"
#include "coordinator/summing.h"
#include "membership/ledger_file.h"
#include "membership/member.h"
#include "storage/audit_log.h"
#include "storage/journal.h"
#include "storage/sync_group.h"

namespace freshet {

using OpenJournal = std::function<Result<std::unique_ptr<Journal>>(const Path& folder)>;

class CampaignRun {
 public:
  // What it shares with the driver; all outlive it.
  struct Shared {
    Peers& peers;
    const Identity& identity;
    const OpenJournal& open_journal;
    const TrainerOptions& trainer;               // of the gate
    const membership::Member* member = nullptr;  // null: no masked round can be opened
    AuditLog* audit = nullptr;                   // null: none is kept
  };
  // `folder`: of this campaign. kBadInput when its model is not what it was submitted with.
  static Result<std::unique_ptr<CampaignRun>> open(Shared shared, const CampaignRecord& record,
                                                   Path folder, Instant now);
  ~CampaignRun();  // what did not become durable was never said

  // Errors stop the process but for kNoSpace, which is told to the node, logged, and tried again
  // later.
  Result<void> receive(NodeId node, const NodeMessage& message, Instant now);
  Result<void> tick(Instant now);
  // What receive() and tick() decided becomes durable, and is said. Between them and this nothing
  // leaves: many decisions become durable at once.
  Result<void> commit(Instant now);
  // The next version repeats that one. kBadInput: it is not kept; kRefused: the rounds are over.
  Result<void> roll_back(VersionId to, Instant now);
  std::vector<int> descriptors() const;  // readable when tick() has something to do
  void announce_to(NodeId node, Instant now);

  const campaign::Campaign& state() const { return state_; }
  const CampaignPlan& plan() const { return plan_; }
  const ModelConfig& model() const { return model_; }
  const Layout& layout() const { return layout_; }
  CampaignId id() const { return state_.id; }
  const EventLog& events() const { return *events_; }
  bool waits_for_gate() const { return candidate_.has_value(); }
  // Of a campaign of logits that is over: the mean of the answers.
  Result<std::vector<float>> adapter() const {
    return load_floats(adapters_, state_.adapter, layout_.size);
  }

 private:
  CampaignRun(Shared shared, Path folder, CampaignPlan plan, ModelConfig model, Layout layout,
              BlobStore adapters, BlobStore uploads, BlobStore documents);
  Result<void> start_or_recover(CampaignId id, Instant now);
  Result<Digest> first_version();
  Result<void> reload();
  Result<void> sweep();
  Result<void> sweep_folder(const char* name, const std::set<Digest>& wanted);
  Result<void> look_what_is_due(Instant now);
  Result<void> feed(campaign::Event event, Instant now);
  Result<void> drain(Instant now);
  Result<void> feed_one(const campaign::Event& event, Instant now);
  Result<bool> write_down(std::span<const campaign::Effect> effects, Instant now);
  Result<void> forget_undurable(Instant now);
  Result<void> look_for_room(Instant now);
  Result<void> act(const campaign::Effect& effect, Instant now);
  Result<void> audit();

  Result<void> on(const campaign::SendAnnounce& effect, Instant now);
  Result<void> on(const campaign::SendInvite& effect, Instant now);
  Result<void> on(const campaign::SendAccepted& effect, Instant now);
  Result<void> on(const campaign::SendReceipt& effect, Instant now);
  Result<void> on(const campaign::SendFinished& effect, Instant now);
  Result<void> on(const campaign::SendRefused& effect, Instant now);
  Result<void> on(const campaign::AddAndStep& effect, Instant now);
  Result<void> on(const campaign::DropUploads& effect, Instant now);
  Result<void> on(const campaign::SendPhase& effect, Instant now);
  Result<void> on(const campaign::CombineGroups& effect, Instant now);

  Result<void> on_message(NodeId node, const Hello& hello, Instant now);
  Result<void> on_message(NodeId node, const Heartbeat& heartbeat, Instant now);
  Result<void> on_message(NodeId node, const Ready& ready, Instant now);
  Result<void> on_message(NodeId node, const Fetch& fetch, Instant now);
  Result<void> on_message(NodeId node, const UploadChunk& chunk, Instant now);
  Result<bool> may_stage(NodeId node, const UploadChunk& chunk, Instant now);
  Result<bool> may_try(NodeId node, const UploadChunk& chunk, Instant now);
  Result<void> forget_tries();
  std::uint32_t upload_credit() const;
  Result<void> take_whole(NodeId node, const UploadChunk& chunk, Instant now);
  SumPlan sum_plan(RoundId round, VersionId base, std::span<const round::Survivor> parts) const;
  void owe_again(Instant now);
  Result<void> make_next(Instant now);  // of what is owed
  Result<void> sum_opened(Instant now);

  // campaign_run_versions.cpp
  struct Candidate {  // for the next version
    RoundId round;
    Digest adapter{}, sum{};
    std::optional<EvaluationTotals> totals = {};
    std::optional<double> clip = {};  // of the next round
    bool of_groups = false;
  };
  Result<void> keep_group(const MaskedMean& mean, Instant now);
  Result<void> combine_groups(Instant now);
  Result<void> promote(Candidate candidate, Instant now);
  Result<void> publish_candidate(Instant now);
  Result<void> ask_gate();
  void retry_gate(const Error& error, Instant now);
  Result<void> look_at_gate(Instant now);
  void look_after_versions(VersionId before, Instant now);
  Result<void> tidy_up();
  Result<void> snapshot();
  Result<void> sweep_adapters();

  // Of masked rounds.
  RoundBookHooks book_hooks();
  Result<double> clip_of(VersionId version) const;
  std::optional<double> next_clip_of(const MaskedMean& mean) const;
  Result<void> keep_clip(std::optional<double> next);
  Result<Charge> charge_for(const Descriptor& descriptor, std::size_t entries) const;
  Result<bool> describe(campaign::RoundOpened& event);
  Result<void> charge(const round::Round& round);
  Result<void> follow_round(Instant now);
  void look_at_trust(Instant now);
  Result<void> take_masked(NodeId node, const NodeMessage& message, Instant now);
  template <class Message>
  Result<void> take_one_masked(NodeId node, const Message& message, Instant now);
  Result<void> invite(NodeId node, const round::Round& round, Instant now);
  Result<void> sum_masked(Instant now);
  Result<void> publish_receipt(const campaign::SendReceipt& effect);
  Result<void> drop_receipts();
  Receipt receipt_of(const campaign::SendReceipt& effect) const;
  std::optional<MaskedReceipt> masked_receipt(const campaign::SendReceipt& effect,
                                              Receipt receipt) const;
  Result<void> sweep_documents();

  Shared shared_;
  Path folder_;
  CampaignPlan plan_;
  RobustPlan robust_;
  std::string model_folder_, question_file_;
  ModelConfig model_;
  Layout layout_;
  // Apart, so that no upload can name, or be fetched as, an adapter.
  SyncGroup unsynced_;
  BlobStore adapters_, uploads_, documents_;
  std::optional<LedgerFile> ledger_;  // of a plan with privacy
  std::optional<RoundBook> book_;     // of the open masked round
  std::string trouble_;               // why none is opened; told
  std::unique_ptr<Journal> journal_;
  std::uint64_t next_entry_ = 0, oldest_entry_ = 0;  // of the journal
  bool audit_behind_ = false, decided_ = false;  // something that the audit log will have
  campaign::Campaign state_;
  std::deque<campaign::Event> pending_;
  std::vector<Bytes> unwritten_;       // entries of the journal: state_ has them already
  Instant unwritten_since_, looked_at_;
  bool looks_ = true;  // something changed: the machine is asked what is due
  std::optional<Instant> tidy_up_at_;  // after a version came
  std::optional<Instant> full_until_;  // the disk: nothing is taken
  std::optional<campaign::AddAndStep> owed_;  // a sum that is not made, or not decided about, yet
  std::optional<campaign::CombineGroups> owed_groups_;
  std::optional<campaign::SendReceipt> unsaid_;  // of the journal's last round
  std::optional<Gate> gate_;            // started when there is something to ask
  std::optional<Candidate> candidate_;  // that the gate was asked about
  Instant sum_again_at_;
  std::optional<EventLog> events_;
  std::set<NodeId> strangers_;  // hold another model or speak another protocol
  ChunkDigests fetched_;
  RoundId tries_round_;
  std::uint64_t tries_size_ = 0;
  std::map<NodeId, std::set<Digest>> tries_;  // uploads begun for tries_round_
};

}  // namespace freshet
