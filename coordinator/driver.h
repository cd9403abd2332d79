#pragma once
// A coordinator: one thread that waits on nodes, operators and its trainer at once, and gives each
// what it said to the campaigns. Everything durable is in `folder`, which one process holds at a
// time.

#include <map>
#include <memory>
#include <string>

#include "coordinator/campaign_queue.h"
#include "coordinator/operator_server.h"
#include "crypto/key_file.h"
#include "membership/member.h"
#include "transport/metrics_page.h"
#include "transport/zeromq_router.h"

namespace freshet {

struct CoordinatorOptions {
  Path folder;
  std::string listen = "tcp://0.0.0.0:7400";
  TrainerOptions trainer;
  OpenJournal open_journal;  // empty: RocksDB
  std::string metrics;       // HOST:PORT of the page for Prometheus; empty: none
};

class Coordinator {
 public:
  // Makes keys on first use, binds, recovers the campaign under way, writes folder/endpoint.
  // kUnavailable: the port or the folder is in use.
  static Result<std::unique_ptr<Coordinator>> open(CoordinatorOptions options);

  // Returns when `stop` becomes readable; errors are those that end a process.
  Result<void> run(int stop);

  std::string address() const { return router_->address(); }
  std::string metrics_address() const { return metrics_ ? metrics_->address() : ""; }
  const PublicIdentity& identity() const { return keys_.identity.open; }

 private:
  struct Watcher {
    CampaignId campaign;
    std::string last;  // what it was told, without the time left
    std::uint64_t bytes = 0;
    Instant at;
  };
  Coordinator(CoordinatorOptions options, UniqueFd lock, KeyRing keys);
  Result<void> turn(int stop);
  Result<void> take_frames(Instant now);
  void look_after_members(Instant now);
  Result<Json> answer(const OperatorServer::Request& asked, Instant now);
  Result<void> audit(const OperatorServer::Request& asked, const Json& request);
  Result<CampaignId> campaign_of(const Json& request) const;
  Result<Json> fleet(const Json& request, Instant now) const;
  Json progress(const CampaignRecord& record, Instant now) const;
  std::string metrics(Instant now) const;
  void tell_watchers(Instant now);

  CoordinatorOptions options_;
  UniqueFd lock_;
  KeyRing keys_;
  SystemClock clock_;
  std::optional<AuditLog> audit_;
  std::unique_ptr<membership::Member> member_;  // null: this coordinator has not joined a fleet
  std::uint64_t member_changes_ = 0;
  std::string members_;  // as the audit log was last told
  Instant certified_at_;
  std::shared_ptr<AllowedNodes> allowed_;
  std::unique_ptr<ZeromqRouter> router_;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<CampaignQueue> campaigns_;
  std::unique_ptr<OperatorServer> operators_;
  std::optional<MetricsPage> metrics_;
  Instant began_at_;
  std::map<std::uint64_t, Watcher> watchers_;
  Instant refreshed_at_;
};

}  // namespace freshet
