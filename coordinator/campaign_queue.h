#pragma once
// All campaigns of one coordinator, one at a time: rounds, then the published adapters, then the
// next. Every change of a campaign's state is durable before anything follows from it, so that a
// process killed at any point is replaced by one that goes on.

#include <map>
#include <memory>
#include <optional>

#include "coordinator/adaptation.h"
#include "coordinator/campaign_run.h"

namespace freshet {

class CampaignQueue {
 public:
  struct Shared {  // all outlive it
    Peers& peers;
    const Identity& identity;
    const OpenJournal& open_journal;
    const TrainerOptions& trainer;
    const membership::Member* member = nullptr;
    AuditLog* audit = nullptr;
  };
  static Result<std::unique_ptr<CampaignQueue>> open(Shared shared, Path folder, Instant now);

  // `base`: folder that the paths in the file are relative to. Checks everything that can be
  // checked now.
  Result<CampaignId> submit(std::string_view toml, std::string_view source, const Path& base);
  Result<void> stop(CampaignId id, Instant now);
  Result<void> roll_back(CampaignId id, VersionId to, Instant now);  // errors as of CampaignRun's

  Result<void> receive(NodeId node, const NodeMessage& message, Instant now);
  Result<void> commit(Instant now) { return run_ ? run_->commit(now) : Result<void>(); }
  Result<void> tick(Instant now);
  std::vector<int> descriptors() const;  // readable when tick() has something to do

  const std::vector<CampaignRecord>& records() const { return records_; }
  const CampaignRecord* find(CampaignId id) const;
  const CampaignRecord* latest() const;  // the one under way, else the last one
  // Of the campaign under way; null: none is.
  const campaign::Campaign* under_way() const { return run_ ? &run_->state() : nullptr; }
  // What `campaign watch` shows: phase, round, rounds, version, nodes_ready, nodes_alive, cohort,
  // survivors, eta_s, adapt.
  Json progress(const CampaignRecord& record, Instant now) const;
  // {"versions": [...]} that it can go back to, of the campaign under way; else empty.
  Json versions(const CampaignRecord& record) const;

 private:
  CampaignQueue(Shared shared, Path folder) : shared_(shared), folder_(std::move(folder)) {}
  Result<CampaignRecord> prepare(std::string_view toml, std::string_view source,
                                 const Path& base) const;
  CampaignRecord* mutable_record(CampaignId id);
  CampaignRecord* active();
  Result<void> begin(CampaignRecord& record, Instant now);
  void end_run();
  Result<void> move_on(CampaignRecord& record, Instant now);
  Result<void> rounds_are_done(CampaignRecord& record);
  Result<void> adapt(CampaignRecord& record, Instant now);
  Result<void> set_state(CampaignRecord& record, CampaignState state, std::string why = {});
  Result<void> advance(Instant now);
  void say_finished(NodeId node, const CampaignRecord& record, Instant now);

  Shared shared_;
  Path folder_;
  std::vector<CampaignRecord> records_;  // by number
  std::map<NodeId, Hello> hellos_;  // the last of each node, said again to a campaign that begins
  std::unique_ptr<CampaignRun>
      run_;  // of the active campaign; stays after its end, for nodes that come late
  std::optional<Adaptation> adaptation_;
  int adapt_failures_ = 0;
  std::string waits_for_;  // why the cloud model does not learn yet; told
  Instant try_again_at_;
  Instant began_at_;
  std::uint64_t began_version_ = 0;
};

}  // namespace freshet
