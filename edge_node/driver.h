#pragma once
// A node: one thread that waits on its coordinator and its trainer at once, and does what its
// session decides. Holds keys and network, and never reads private text: that goes to the trainer
// as descriptors. Everything durable is in `folder`, which one process holds at a time.

#include <deque>
#include <map>
#include <set>
#include <string>

#include "aggregation/evaluation.h"
#include "crypto/key_file.h"
#include "edge_node/contribution_store.h"
#include "edge_node/coordinator_link.h"
#include "edge_node/learner.h"
#include "edge_node/masked_round.h"
#include "edge_node/node_options.h"
#include "edge_node/node_records.h"
#include "edge_node/node_work.h"
#include "edge_node/payload.h"
#include "edge_node/policy.h"
#include "edge_node/restraint.h"
#include "membership/ledger_file.h"
#include "membership/member.h"
#include "storage/blob_store.h"
#include "transport/zeromq_dealer.h"

namespace freshet {

class Node {
 public:
  static Result<std::unique_ptr<Node>> open(NodeOptions options);

  // Returns when `stop` becomes readable or, with exit_when_finished, once a campaign's report is
  // written; kExpired if that campaign ended before its last round. Errors are those that end a
  // process.
  Result<void> run(int stop);

 private:
  using Campaign = node_work::Campaign;
  using Purpose = node_work::Purpose;
  using Download = node_work::Download;
  using Ending = node_work::Ending;

  struct Stores {
    BlobStore adapters;
    ContributionStore contributions;
    NodeRecords records;
    SpentBases spent;
    LedgerFile ledger;
    std::unique_ptr<membership::Member> member;  // null: this node has not joined
  };
  struct Admitted {  // a masked round that policy, budget and the spent bases allow
    Digest sid{};
    Descriptor descriptor;
    Digest supplied{};
  };

  Node(NodeOptions options, UniqueFd lock, KeyRing keys, ModelConfig config, Stores stores);
  static Result<Stores> open_stores(const NodeOptions& options, const KeyRing& keys);
  static Result<PublicIdentity> pin_coordinator(NodeOptions& options,
                                                const membership::Member* member);
  Result<void> connect(const PublicIdentity& coordinator);
  Result<void> switch_to(const PublicIdentity& coordinator, Instant now);
  Result<void> turn(int stop);
  Result<void> take_messages(Instant now);
  void look_after_line(Instant now);
  void write_status(Instant now);
  int patience_ms(Instant now) const;
  void look_after_rules(Instant now);
  Result<void> look_after_text(Instant now);

  Result<void> on(const Announce& announce, Instant now);
  Result<void> on(const Invite& invite, Instant now);
  Result<void> on(const ChunkAck& ack, Instant now);
  Result<void> on(const Chunk& chunk, Instant now);
  Result<void> on(const Receipt& receipt, Instant now);
  Result<void> on(const Finished& finished, Instant now);
  Result<void> on(const Refused& refused, Instant now);
  Result<void> adopt(const Announce& announce, Instant now);
  Result<Layout> check(const Announce& announce) const;
  Result<Layout> check_question_of(const Announce& announce) const;
  Result<void> fetch(const Digest& blob, std::uint64_t size, Instant now);
  Result<void> arrived(const Digest& blob, Instant now);
  void save_memory(Instant now);

  Result<void> on(const MaskedInvite& invite, Instant now);
  Result<void> on(const RosterPage& page, Instant now);
  Result<void> on(const Forward& forward, Instant now);
  Result<void> on(const Survivors& survivors, Instant now);
  Result<void> on(const Quorum& quorum, Instant now);
  Result<void> on(const AskAbort& ask, Instant now);
  Result<void> act(const session::JoinExchange& effect, Instant now);
  Result<void> act(const session::LeaveExchange& effect, Instant now);
  std::optional<Refusal> refusal(const Descriptor& descriptor, const MaskedInvite& invite) const;
  Loaded loaded() const;
  std::string how_to_join() const;
  static Result<Charge> charge_for(const Descriptor& descriptor, std::size_t entries);
  Result<void> decline(const Descriptor& descriptor, const Refusal& refusal, Instant now);
  MaskedRoundHooks hooks_for(const Admitted& admitted, const session::Contribution& contribution);
  void keep_payload(const PayloadFacts& facts, ByteView frame, const QuantizedUpdate& unmasked);
  Result<void> trust_chunk(const Chunk& chunk, Instant now);
  Result<void> look_after_trust(Instant now);
  Result<void> after_round_event(Instant now);  // what it led to, told to the session and to people
  Result<void> masked_receipt(const Receipt& receipt, Instant now);
  template <class Message>
  Result<void> to_round(const Message& message, Instant now);

  Result<void> feed(session::Event event, Instant now);
  Result<void> act(const session::SendHello& effect, Instant now);
  Result<void> act(const session::SendHeartbeat& effect, Instant now);
  Result<void> act(const session::SendReady& effect, Instant now);
  Result<void> act(const session::FetchBlob& effect, Instant now);
  Result<void> act(const session::StartTraining& effect, Instant now);
  Result<void> act(const session::StopTraining& effect, Instant now);
  Result<void> act(const session::SealUpload& effect, Instant now);
  Result<void> act(const session::SendUpload& effect, Instant now);
  Result<void> act(const session::DropContribution& effect, Instant now);
  FinetunePlan finetune_plan(VersionId version) const;
  Result<std::vector<float>> load_adapter(const Digest& digest) const;
  Result<session::Contribution> keep(const session::Base& base, const Finetuned& finetuned);
  Result<void> job_done(JobDone done, Instant now);
  Result<void> trained(const session::Base& base, JobDone done, Instant now);
  void evaluate(const session::Base& base);
  Result<void> evaluated(VersionId version, const Evaluation& evaluation, Instant now);

  // driver_logits.cpp
  AdapterSpec own_spec() const;
  Path question_file() const;
  void evaluate_own(const session::Base& base, std::vector<float> adapter);
  Result<void> start_answering(const session::Base& base, Instant now);
  void ask_trainer(const session::Base& base, const Finetuned& finetuned);
  Result<session::Contribution> keep_answer(const session::Base& base, std::vector<float> values);

  // driver_ending.cpp
  Result<void> begin_ending(VersionId version, const Digest& adapter, bool complete);
  Result<void> go_on_ending(Instant now);
  void ending_job_done(const Purpose& purpose, JobDone done);
  Result<void> write_report(Instant now);

  NodeOptions options_;
  UniqueFd lock_;
  KeyRing keys_;
  PublicIdentity coordinator_;  // pinned
  Digest model_{};
  Digest tokenizer_{};  // all zeros where the model is a GGUF
  ModelConfig config_;
  BlobStore adapters_;
  ContributionStore contributions_;
  NodeRecords records_;
  SpentBases spent_;
  LedgerFile ledger_;
  std::unique_ptr<membership::Member> member_;
  Learner learner_;
  Restraint restraint_;
  std::unique_ptr<ZeromqDealer> dealer_;
  std::unique_ptr<CoordinatorLink> link_;
  SystemClock clock_;

  session::Session session_;
  std::deque<session::Event> pending_;
  std::optional<Campaign> campaign_;
  std::set<CampaignId> refused_;                 // campaigns this node will not take part in
  std::optional<session::Contribution> stored_;  // in contributions_
  std::optional<Download> download_;
  std::optional<Download> last_;  // the campaign's final adapter
  std::map<JobId, Purpose> jobs_;
  std::deque<Digest> held_;  // in adapters_, oldest first
  std::optional<Admitted> admitted_;
  std::unique_ptr<MaskedRound> round_;  // the last one joined
  bool round_settled_ = true, round_published_ = false;
  std::optional<Digest> trust_wanted_;
  std::optional<double> epsilon_spent_;  // by ledger_; empty: nothing yet
  std::uint64_t trust_changes_ = 0;
  Digest declined_{};  // the last sid
  struct Evaluated {
    VersionId version;
    EvaluationTotals totals;
  };
  std::optional<Evaluated> evaluated_;  // the last, for sums of totals
  int evaluate_failures_ = 0;
  std::optional<Ending> ending_;
  CampaignMemory memory_;
  CampaignMemory since_;  // what memory_ was when this process took the campaign up
  Instant adopted_at_, started_at_, heard_at_, told_at_, status_at_, shown_at_;
  std::uint64_t shown_up_ = 0, shown_down_ = 0;  // in the status, of the link's bytes, at shown_at_
  std::uint64_t link_up_ = 0, link_down_ = 0;  // of the link, at adopted_at_
  bool heap_used_ = true;                      // by vectors that are gone since
  bool status_late_ = false;                   // too soon after the last to be written
  bool heard_ = false, reported_ = false, incomplete_ = false;
  std::string problem_;  // the last thing that a person should know
};

}  // namespace freshet
