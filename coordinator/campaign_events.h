#pragma once
// What happens to a campaign, and what follows from it: the events and effects of campaign.h.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "aggregation/evaluation.h"
#include "coordinator/round.h"
#include "protocol/messages.h"

namespace freshet::campaign {

// ---- events. `now` is this process's clock

struct Hello {
  NodeId node;
  Instant now;
};
struct Heartbeat {
  NodeId node;
  VersionId base;
  Activity activity = Activity::kIdle;
  Instant now;
};
struct Ready {
  NodeId node;
  VersionId base;
  Instant now;
};
struct Uploaded {  // the last chunk is verified and durable
  NodeId node;
  RoundId round;
  Digest upload{};
  Instant now;
};
struct Staged {  // bytes of a member's upload, not yet all
  NodeId node;
  RoundId round;
  Instant now;
};
struct Said {  // a masked round's document: durable, and it fits the round and its sender
  NodeId node;
  RoundId round;
  round::Document kind = round::Document::kAdvert;
  Digest document{};
  bool enough = false;  // of a kReveal
  Instant now;
};
struct Complained {  // with evidence; `liar` is who lied, one of the two
  NodeId node;
  NodeId liar;
  RoundId round;
  Instant now;
};
struct Left {  // a member takes no part in this round
  NodeId node;
  RoundId round;
  Instant now;
};
struct Ruined {  // a masked sum that is none, or cannot be opened
  RoundId round;
  std::string why;
  std::vector<NodeId> liars;  // rising
  Instant now;
};
struct Summed {  // adapter of the next version is a durable blob: version and round commit together
                 // in this one event
  RoundId round;
  VersionId version;
  Digest adapter{};
  Instant now;
  Digest sum{};                                 // of a masked round: what the receipt says of it
  std::optional<EvaluationTotals> totals = {};  // of the base, by the nodes of the round
};
struct GroupSummed {  // as Summed, of one group of several: `mean` is a durable document
  RoundId round;
  Digest mean{}, sum{};
  std::optional<EvaluationTotals> totals = {};
  Instant now;
};
struct Combined {  // the rule over the means of groups has made the next version
  VersionId version;
  Digest adapter{};
  Instant now;
};
struct HeldBack {  // what this round, or the groups that it ends, would have made is not published
  RoundId round;
  std::string why;
  Instant now;
};
struct RolledBack {  // by an operator: the next version repeats `to`
  VersionId to;
  Digest
      adapter{};  // a durable blob; under masks one that no version had, or nodes would refuse it
  Instant now;
  bool operator==(const RolledBack&) const = default;
};
struct Spoiled {  // while adding: these uploads do not open or are no valid update; the sum was not
                  // used
  RoundId round;
  std::vector<NodeId> nodes;
  Instant now;
};
// What time brings about; due() makes them.
struct Vanished {
  NodeId node;
  Instant now;
};
struct RoundOpened {
  Instant now;
  std::uint64_t seed =
      0;  // fresh from the CSPRNG: chooses the cohort when more than cohort_max are ready
  // Of a masked round, filled in by the driver: see round::MaskedPlan. The descriptor is that of
  // the next round.
  Digest sid{}, document{};
};
struct DeadlinePassed {
  RoundId round;
  Instant now;
};
struct GroupsClosed {  // no further group comes, and there are enough
  Instant now;
};
struct GaveUp {  // nothing to form a cohort of for gather_ms; or else why no round can be opened
                 // any more
  Instant now;
  std::string why = {};
};
struct Recovered {  // first event after a restart: no Instant of the process before means anything
  Instant now;
};
using Event = std::variant<Hello, Heartbeat, Ready, Uploaded, Summed, Spoiled, Vanished,
                           RoundOpened, DeadlinePassed, GaveUp, Recovered, Staged, Said, Complained,
                           Left, Ruined, GroupSummed, Combined, HeldBack, RolledBack, GroupsClosed>;

// ---- effects

struct SendAnnounce {  // of the campaign's current version
  NodeId node;
};
struct SendInvite {
  NodeId node;
  RoundId round;
  VersionId base;
  std::uint32_t cohort = 0;
  std::int64_t remaining_ms = 0;
};
struct SendAccepted {  // a ChunkAck with next_offset == size
  NodeId node;
  RoundId round;
  Digest upload{};
};
struct SendPhase {  // what the open masked round owes this member now; nothing, if it dropped out
  NodeId node;
  RoundId round;
};
struct SendReceipt {
  std::vector<NodeId> to;
  RoundId round;
  bool published = false;
  VersionId version;
  std::vector<NodeId> survivors;
  struct Masked {
    Digest sid{};
    round::Places survivors;
    Digest sum{};
  };
  std::optional<Masked> masked;  // of a published masked round
};
struct SendFinished {
  NodeId node;
  VersionId version;
};
struct SendRefused {
  NodeId node;
  Code code = Code::kRefused;
  std::string why;
};
struct AddAndStep {  // answer with Summed{round, base + 1, ...}, Spoiled or HeldBack, or of a group
                     // with GroupSummed; a later one replaces an earlier one
  RoundId round;
  VersionId base;
  std::vector<round::Survivor> survivors;  // by rising node
};
struct CombineGroups {  // answer with Combined or HeldBack
  VersionId base;
  std::vector<Digest> means;
};
struct DropUploads {  // nobody will ask for them again
  std::vector<Digest> uploads;
};
using Effect = std::variant<SendAnnounce, SendInvite, SendAccepted, SendReceipt, SendFinished,
                            SendRefused, AddAndStep, DropUploads, SendPhase, CombineGroups>;

}  // namespace freshet::campaign
