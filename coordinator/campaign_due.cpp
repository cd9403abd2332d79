#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "coordinator/campaign.h"

namespace freshet::campaign {
namespace {

bool in_good_standing(const Node& node) {
  return node.here && node.offences < limits::kOffencesMax;
}

// Enough are ready, and everybody else who is here was waited for.
bool should_open(const Campaign& c, const Gathering& gathering, Instant now) {
  if (!gathering.enough_at) return false;
  if (now - *gathering.enough_at >= c.rules.ready_ms) return true;
  return std::all_of(c.nodes.begin(), c.nodes.end(), [&](const auto& entry) {
    return !in_good_standing(entry.second) || is_ready(c, entry.second);
  });
}

void resume_round(const round::Round& round, Instant now, std::vector<Effect>& effects) {
  for (const round::Member& member : round.cohort) {
    if (member.upload) {
      effects.push_back(SendAccepted{member.node, round.plan.id, *member.upload});
    } else if (std::holds_alternative<round::Collecting>(round.phase)) {
      effects.push_back(SendInvite{member.node, round.plan.id, round.plan.base,
                                   static_cast<std::uint32_t>(round.cohort.size()),
                                   std::max<std::int64_t>(round.deadline - now, 0)});
    }
  }
}

}  // namespace

Rules rules_of(const CampaignPlan& plan) {
  return Rules{plan.rounds,   plan.cohort_min, plan.cohort_max,  plan.survivors_min,
               plan.ready_ms, plan.round_ms,   limits::kGatherMs};
}

Campaign begin(CampaignId id, const Rules& rules, const Digest& adapter, Instant now) {
  CHECK(rules.rounds >= 1 && rules.survivors_min >= 1, "rounds {}, survivors_min {}", rules.rounds,
        rules.survivors_min);
  CHECK(rules.cohort_min >= rules.survivors_min && rules.cohort_max >= rules.cohort_min,
        "cohort {} to {}, survivors {}", rules.cohort_min, rules.cohort_max, rules.survivors_min);
  CHECK(rules.cohort_max <= limits::kCohortMax, "cohort_max {}", rules.cohort_max);
  Campaign campaign;
  campaign.id = id;
  campaign.rules = rules;
  campaign.adapter = adapter;
  campaign.phase = Gathering{now, 0, std::nullopt};
  return campaign;
}

std::vector<Event> due(const Campaign& c, Instant now, std::uint64_t seed) {
  if (is_over(c)) return {};
  std::vector<Event> events;
  for (const auto& [id, heard] : c.heard) {
    if (now - heard <= limits::kSilenceMs) continue;
    auto node = c.nodes.find(id);
    if (node != c.nodes.end() && node->second.here) events.push_back(Vanished{id, now});
  }
  if (!events.empty()) return events;  // what they change is looked at next time
  if (const auto* gathering = std::get_if<Gathering>(&c.phase)) {
    if (should_open(c, *gathering, now)) {
      events.push_back(RoundOpened{now, seed});
    } else if (!gathering->enough_at && now - gathering->since >= c.rules.gather_ms) {
      events.push_back(GaveUp{now});
    }
  }
  const auto* collecting = std::get_if<Collecting>(&c.phase);
  if (collecting != nullptr && now >= collecting->round.deadline)
    events.push_back(DeadlinePassed{collecting->round.plan.id, now});
  return events;
}

std::vector<Effect> resume(const Campaign& c, Instant now) {
  std::vector<Effect> effects;
  if (const round::Round* round = open_round(c)) resume_round(*round, now, effects);
  for (const auto& [id, node] : c.nodes) {
    if (!in_good_standing(node)) continue;
    if (is_over(c)) {
      effects.push_back(SendFinished{id, c.version});
    } else if (node.ready != c.version) {
      effects.push_back(SendAnnounce{id});
    }
  }
  if (const auto* summing = std::get_if<Summing>(&c.phase))
    effects.push_back(AddAndStep{summing->round.plan.id, summing->round.plan.base,
                                 round::survivors(summing->round)});
  return effects;
}

bool is_over(const Campaign& c) {
  return std::holds_alternative<Finished>(c.phase) || std::holds_alternative<Failed>(c.phase);
}

bool is_ready(const Campaign& c, const Node& node) {
  return in_good_standing(node) && node.ready == c.version;
}

std::uint32_t ready_count(const Campaign& c) {
  return static_cast<std::uint32_t>(
      std::count_if(c.nodes.begin(), c.nodes.end(),
                    [&](const auto& entry) { return is_ready(c, entry.second); }));
}

const round::Round* open_round(const Campaign& c) {
  if (const auto* collecting = std::get_if<Collecting>(&c.phase)) return &collecting->round;
  if (const auto* summing = std::get_if<Summing>(&c.phase)) return &summing->round;
  return nullptr;
}

bool operator==(const Campaign& a, const Campaign& b) {
  return a.id == b.id && a.rules == b.rules && a.version == b.version && a.adapter == b.adapter &&
         a.last_round == b.last_round && a.aborts == b.aborts && a.nodes == b.nodes &&
         a.phase == b.phase;
}

}  // namespace freshet::campaign
