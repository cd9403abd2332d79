#pragma once
// A campaign as a pure function of events: nodes get ready on the current version, a cohort is
// formed, a round collects uploads, their sum becomes the next version. The driver's duty, for
// every event:
//   step = campaign::step(state, event); if (step.durable) append encode(event) to the journal;
//   state = step.next; act on step.effects; then feed every event of due(state, now, seed) the same
//   way.
// All time and chance come in events. Recovery: campaign_record.h, then a Recovered event, then
// resume().

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/campaign_events.h"

namespace freshet::campaign {

struct Rules {               // what of the plan decides
  std::uint32_t rounds = 1;  // versions to publish
  std::uint32_t cohort_min = 1, cohort_max = 1, survivors_min = 1;
  std::int64_t ready_ms = 0, round_ms = 1;
  std::int64_t gather_ms = 1;  // no cohort for this long: the campaign fails
  bool masked = false;
  MaskingPlan masking = {};
  std::uint32_t groups = 1;      // masked sums, each over a cohort of its own, that make a version
  std::uint32_t groups_min = 1;  // that may make one where no more can be formed
  bool operator==(const Rules&) const = default;
};
Rules rules_of(const CampaignPlan& plan);  // REQUIRES: validate(plan)

struct Node {
  std::optional<VersionId> ready;  // holds a sealed contribution from this version
  std::uint32_t offences = 0;      // at limits::kOffencesMax it is out of the campaign
  bool here = true;                // false: vanished, or known only for what follows
  std::optional<VersionId> spent;  // was in a masked round from this version, which was not given
                                   // up: it contributes from it no second time
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
struct Combining {  // all groups are summed
  bool operator==(const Combining&) const = default;
};
using Phase = std::variant<Gathering, Collecting, Summing, Finished, Failed, Combining>;

struct Published {
  VersionId version;
  RoundId round;  // 0: no round made it
  Digest adapter{};
  std::uint32_t nodes = 0;  // whose updates are in it
  EvaluationTotals totals;  // of the version before, by those nodes; no bytes: not asked for
  std::optional<VersionId> repeats;  // an earlier one, whose adapter it is
  bool operator==(const Published&) const = default;
};
struct Group {  // that is summed, from the current version
  RoundId round;
  Digest mean{};
  std::uint32_t nodes = 0;
  EvaluationTotals totals;
  bool operator==(const Group&) const = default;
};

struct Campaign {
  CampaignId id;
  Rules rules;
  VersionId version;         // the published one that nodes train from
  Digest adapter{};          // its blob
  RoundId last_round;        // 0: none was opened yet
  std::uint32_t aborts = 0;  // in a row
  std::map<NodeId, Node> nodes;
  // Masked rounds from `version` that a quorum signed were given up. What their members signed goes
  // with the next invitations, or they would not mask again.
  std::vector<round::Round> given_up;
  std::vector<Published> published;  // the last kVersionsKept, by version; the current one ends it
  std::vector<Group> groups;         // by round
  std::string held_back;             // why the current version has no successor yet
  std::optional<RolledBack> rollback;  // asked for while a round is open, which ends first
  Phase phase;
  // Not durable and no part of ==: lost with the process, set anew by Recovered.
  std::map<NodeId, Instant> heard;
  std::optional<Instant> staged_at;  // bytes of an upload came
  friend bool operator==(const Campaign& a, const Campaign& b);
};

struct Step {
  Campaign next;
  std::vector<Effect>
      effects;  // may be there without `accepted`: an answer to a repeated or refused message
  bool accepted = false;  // something changed
  bool durable = false;   // ... that a restart must not forget: journal the event before acting
};

// The initial state. The driver starts a campaign by making its encoding the journal's first
// snapshot.
Campaign begin(CampaignId id, const Rules& rules, const Digest& adapter, Instant now);

[[nodiscard]] Step step(Campaign state, const Event& event);

// What time alone brings about now, at most one event of a kind but Vanished; empty when there is
// nothing to do. `seed` goes into a RoundOpened.
std::vector<Event> due(const Campaign& campaign, Instant now, std::uint64_t seed);

// What to do after Recovered was stepped: everything that was owed and may not have been done.
// Idempotent.
std::vector<Effect> resume(const Campaign& campaign, Instant now);

bool is_over(const Campaign& campaign);  // Finished or Failed
bool is_ready(const Campaign&,
              const Node&);  // here, in good standing, ready on the current version
std::uint32_t ready_count(const Campaign& campaign);
// Ready nodes that the next round takes; before the first of several groups, enough for all.
std::uint32_t cohort_needed(const Campaign& campaign);
std::uint32_t spent_count(
    const Campaign& campaign);  // nodes that cannot contribute from the current version any more
std::string why_nobody_came(const Campaign& campaign);  // REQUIRES: gathering
// Documents of masked rounds that are still needed: of the open one, of those given up, and means
// of groups.
std::vector<Digest> wanted_documents(const Campaign& campaign);
std::vector<Digest> wanted_adapters(const Campaign& campaign);
const Published* find(const Campaign& campaign, VersionId version);  // null: no longer kept
// Whether the current version begins with no moments of the server rule: it repeats an earlier one.
bool begins_anew(const Campaign& campaign);
// The open round (collecting or summing), or null: who may upload, and what for.
const round::Round* open_round(const Campaign& campaign);

}  // namespace freshet::campaign
