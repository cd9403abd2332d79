#pragma once
// What happened to a campaign, for people and their programs: DIR/campaigns/<id>/events.jsonl, a
// line for every version, group and sum that was held back. Versions stand in it once each,
// whenever a process ends; the journal is what counts, and this is written after it.

#include <optional>
#include <vector>

#include "base/files.h"
#include "base/json_fwd.h"
#include "coordinator/campaign.h"

namespace freshet {

class EventLog {
 public:
  // Drops a last line that a crash cut short.
  static Result<EventLog> open(Path file);

  // Those that are not in it yet, by version. Errors are told and not more: nothing follows from
  // this file.
  void add(const std::vector<campaign::Published>& versions);
  void add(const campaign::Group& group, VersionId base);
  void held_back(RoundId round, const std::string& why);

  // All lines about versions, for a report.
  Result<Json> versions() const;

 private:
  explicit EventLog(Path file) : file_(std::move(file)) {}
  void write(const Json& line);
  Path file_;
  std::optional<VersionId> last_;
};

// {"version": 3, "round": 5, "nodes": 8, "adapter": "...", "repeats": null, "heldout_bpb_before":
// 2.1, "heldout_bytes": 9000}: the last two are of the version before, where totals were asked for.
Json to_json(const campaign::Published& version);

}  // namespace freshet
