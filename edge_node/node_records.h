#pragma once
// What a node writes for its own people, in its own folder: metrics.jsonl (a line for every version
// it evaluated), status.json (where it is now) and report.json (at the end of a campaign). Losses
// stand here and nowhere else: no message carries one.

#include <cstdint>
#include <optional>
#include <string>

#include "base/files.h"
#include "base/ids.h"
#include "base/json_fwd.h"

namespace freshet {

// What a campaign has been for this node so far; survives a restart in campaign.json.
struct CampaignMemory {
  CampaignId campaign;
  std::string name;
  std::uint64_t rounds = 0;         // of the plan
  std::uint64_t contributions = 0;  // sums this node's update is in
  std::uint64_t bytes_up = 0, bytes_down = 0;
  double seconds = 0;
  std::optional<std::uint64_t> evaluated;  // the last version
  std::optional<double> bpb_before, bpb_now;
  std::optional<double> train_loss;  // nats per token, last step of the last training
  bool reported = false;
};

struct Metric {
  VersionId version;
  std::optional<double> train_loss;
  double heldout_bpb = 0, seconds = 0;
  std::uint64_t bytes_up = 0, bytes_down = 0;
};

struct Report {
  std::uint64_t train_bytes = 0, heldout_bytes = 0;
  std::optional<double> local_only;  // bits per byte, where it was asked for
  VersionId version;
};

class NodeRecords {
 public:
  static Result<NodeRecords> open(Path folder, std::string name);
  const std::string& name() const { return name_; }

  Result<void> add(CampaignId campaign, const Metric& metric);
  Result<void> save(const CampaignMemory& memory);
  Result<std::optional<CampaignMemory>> load() const;
  Result<void> write_status(const Json& status);  // only when it changed
  Result<void> write_report(const CampaignMemory& memory, const Report& report);

 private:
  NodeRecords(Path folder, std::string name) : folder_(std::move(folder)), name_(std::move(name)) {}
  Path folder_;
  std::string name_, last_status_;
};

}  // namespace freshet
