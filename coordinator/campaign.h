#pragma once
// A campaign as a pure function of events: nodes get ready on the current version, a cohort is formed, a round collects
// uploads, their sum becomes the next version. The driver's duty, for every event:
//   step = campaign::step(state, event); if (step.durable) append encode(event) to the journal; state = step.next; act
//   on step.effects; then feed every event of due(state, now, seed) the same way.
// All time and chance come in events. Recovery: campaign_record.h, then a Recovered event, then resume().

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/round.h"
#include "protocol/messages.h"
#include "protocol/plan.h"

namespace freshet::campaign {

struct Rules {  // what of the plan decides
  std::uint32_t rounds = 1;  // versions to publish
  std::uint32_t cohort_min = 1, cohort_max = 1, survivors_min = 1;
  std::int64_t ready_ms = 0, round_ms = 1;
  std::int64_t gather_ms = 1;  // no cohort for this long: the campaign fails
  bool operator==(const Rules&) const = default;
};
Rules rules_of(const CampaignPlan& plan);  // REQUIRES: validate(plan)

struct Node {
  std::optional<VersionId> ready;  // holds a sealed contribution from this version
  std::uint32_t offences = 0;      // at limits::kOffencesMax it is out of the campaign
  bool here = true;                // false: vanished, or known only for its offences
  bool operator==(const Node&) const = default;
};

// ---- phases

struct Gathering {
  Instant since;                     // of this version or attempt
  std::uint32_t ready = 0;           // nodes for which is_ready() holds
  std::optional<Instant> enough_at;  // when cohort_min were ready
  bool operator==(const Gathering&) const = default;
};
struct Collecting {
  round::Round round;
  bool operator==(const Collecting&) const = default;
};
struct Summing {
  round::Round round;  // Finished
  bool operator==(const Summing&) const = default;
};
struct Finished {
  bool operator==(const Finished&) const = default;
};
struct Failed {
  std::string why;
  bool operator==(const Failed&) const = default;
};
using Phase = std::variant<Gathering, Collecting, Summing, Finished, Failed>;

struct Campaign {
  CampaignId id;
  Rules rules;
  VersionId version;               // the published one that nodes train from
  Digest adapter{};                // its blob
  RoundId last_round;              // 0: none was opened yet
  std::uint32_t aborts = 0;        // in a row
  std::map<NodeId, Node> nodes;
  Phase phase;
  std::map<NodeId, Instant> heard;  // not durable and no part of ==: lost with the process, set anew by Recovered
  friend bool operator==(const Campaign& a, const Campaign& b);
};

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
struct Summed {  // adapter of the next version is a durable blob: version and round commit together in this one event
  RoundId round;
  VersionId version;
  Digest adapter{};
  Instant now;
};
struct Spoiled {  // while adding: these uploads do not open or are no valid update; the sum was not used
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
  std::uint64_t seed = 0;  // fresh from the CSPRNG: chooses the cohort when more than cohort_max are ready
};
struct DeadlinePassed {
  RoundId round;
  Instant now;
};
struct GaveUp {  // nothing to form a cohort of for gather_ms
  Instant now;
};
struct Recovered {  // first event after a restart: no Instant of the process before means anything
  Instant now;
};
using Event = std::variant<Hello, Heartbeat, Ready, Uploaded, Summed, Spoiled, Vanished, RoundOpened, DeadlinePassed,
                           GaveUp, Recovered>;

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
struct SendReceipt {
  std::vector<NodeId> to;
  RoundId round;
  bool published = false;
  VersionId version;
  std::vector<NodeId> survivors;
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
struct AddAndStep {  // answer with Summed{round, base + 1, ...} or Spoiled; a later one replaces an earlier one
  RoundId round;
  VersionId base;
  std::vector<round::Survivor> survivors;  // by rising node
};
struct DropUploads {  // nobody will ask for them again
  std::vector<Digest> uploads;
};
using Effect = std::variant<SendAnnounce, SendInvite, SendAccepted, SendReceipt, SendFinished, SendRefused, AddAndStep,
                            DropUploads>;

struct Step {
  Campaign next;
  std::vector<Effect> effects;  // may be there without `accepted`: an answer to a repeated or refused message
  bool accepted = false;        // something changed
  bool durable = false;         // ... that a restart must not forget: journal the event before acting
};

// The initial state. The driver starts a campaign by making its encoding the journal's first snapshot.
Campaign begin(CampaignId id, const Rules& rules, const Digest& adapter, Instant now);

[[nodiscard]] Step step(Campaign state, const Event& event);

// What time alone brings about now, at most one event of a kind but Vanished; empty when there is nothing to do.
// `seed` goes into a RoundOpened.
std::vector<Event> due(const Campaign& campaign, Instant now, std::uint64_t seed);

// What to do after Recovered was stepped: everything that was owed and may not have been done. Idempotent.
std::vector<Effect> resume(const Campaign& campaign, Instant now);

bool is_over(const Campaign& campaign);        // Finished or Failed
bool is_ready(const Campaign&, const Node&);   // here, in good standing, ready on the current version
std::uint32_t ready_count(const Campaign& campaign);
// The open round (collecting or summing), or null: who may upload, and what for.
const round::Round* open_round(const Campaign& campaign);

}  // namespace freshet::campaign
