#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "coordinator/campaign.h"

namespace freshet::campaign {
namespace {

bool in_good_standing(const Node& node) {
  return node.here && node.offences < limits::kOffencesMax;
}

bool can_come(const Campaign& c, const Node& node) {
  return in_good_standing(node) && node.spent != c.version;
}

// Enough are ready, and everybody else who is here was waited for.
bool should_open(const Campaign& c, const Gathering& gathering, Instant now) {
  if (!gathering.enough_at) return false;
  if (now - *gathering.enough_at >= c.rules.ready_ms) return true;
  return std::all_of(c.nodes.begin(), c.nodes.end(), [&](const auto& entry) {
    return !can_come(c, entry.second) || is_ready(c, entry.second);
  });
}

// No further group can be formed: who is left is too few, and nobody else comes.
bool should_combine(const Campaign& c, const Gathering& gathering, Instant now) {
  if (gathering.enough_at || c.groups.empty() || c.groups.size() < c.rules.groups_min) return false;
  if (now - gathering.since >= c.rules.ready_ms) return true;
  const auto others = std::count_if(c.nodes.begin(), c.nodes.end(),
                                    [&](const auto& entry) { return can_come(c, entry.second); });
  return others < c.rules.cohort_min;
}

// Nodes whose contribution is spent come again with the next version, which never comes while
// nobody else does.
std::int64_t patience_ms(const Campaign& c) {
  if (spent_count(c) == 0 || !c.held_back.empty()) return c.rules.gather_ms;
  return std::min(c.rules.gather_ms, std::max(c.rules.ready_ms, limits::kSpentMs));
}

Instant deadline_of(const Campaign& c, const round::Round& round) {
  if (!round.plan.masked || !c.staged_at) return round.deadline;
  return std::max(round.deadline, std::min(*c.staged_at + c.rules.masking.phase_ms, round.latest));
}

void resume_round(const round::Round& round, Instant now, std::vector<Effect>& effects) {
  for (const round::Member& member : round.cohort) {
    if (round.plan.masked) {
      if (member.upload)
        effects.emplace_back(SendAccepted{member.node, round.plan.id, *member.upload});
      effects.emplace_back(SendPhase{member.node, round.plan.id});
      continue;
    }
    if (member.upload) {
      effects.emplace_back(SendAccepted{member.node, round.plan.id, *member.upload});
    } else if (std::holds_alternative<round::Collecting>(round.phase)) {
      effects.emplace_back(SendInvite{member.node, round.plan.id, round.plan.base,
                                      static_cast<std::uint32_t>(round.cohort.size()),
                                      std::max<std::int64_t>(round.deadline - now, 0)});
    }
  }
}

}  // namespace

Rules rules_of(const CampaignPlan& plan) {
  return Rules{plan.rounds,
               plan.cohort_min,
               plan.cohort_max,
               plan.survivors_min,
               plan.ready_ms,
               plan.round_ms,
               limits::kGatherMs,
               plan.mode == Mode::kMasked,
               plan.masking,
               1,
               1};
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
  campaign.published = {Published{{}, {}, adapter, 0, {}, std::nullopt}};
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
    } else if (should_combine(c, *gathering, now)) {
      events.push_back(GroupsClosed{now});
    } else if (!gathering->enough_at && now - gathering->since >= patience_ms(c)) {
      events.push_back(GaveUp{now, {}});
    }
  }
  const auto* collecting = std::get_if<Collecting>(&c.phase);
  if (collecting != nullptr && now >= deadline_of(c, collecting->round))
    events.push_back(DeadlinePassed{collecting->round.plan.id, now});
  return events;
}

std::vector<Effect> resume(const Campaign& c, Instant now) {
  std::vector<Effect> effects;
  if (const round::Round* round = open_round(c)) resume_round(*round, now, effects);
  for (const auto& [id, node] : c.nodes) {
    if (!in_good_standing(node)) continue;
    if (is_over(c)) {
      effects.emplace_back(SendFinished{id, c.version});
    } else if (node.ready != c.version) {
      effects.emplace_back(SendAnnounce{id});
    }
  }
  if (const auto* summing = std::get_if<Summing>(&c.phase))
    effects.emplace_back(AddAndStep{summing->round.plan.id, summing->round.plan.base,
                                    round::survivors(summing->round)});
  if (std::holds_alternative<Combining>(c.phase)) {
    CombineGroups combine{c.version, {}};
    for (const Group& group : c.groups) combine.means.push_back(group.mean);
    effects.emplace_back(std::move(combine));
  }
  return effects;
}

bool is_over(const Campaign& c) {
  return std::holds_alternative<Finished>(c.phase) || std::holds_alternative<Failed>(c.phase);
}

bool is_ready(const Campaign& c, const Node& node) {
  return can_come(c, node) && node.ready == c.version;
}

std::uint32_t cohort_needed(const Campaign& c) {
  return c.rules.cohort_min * (c.groups.empty() ? c.rules.groups : 1);
}

const Published* find(const Campaign& c, VersionId version) {
  for (const Published& each : c.published)
    if (each.version == version) return &each;
  return nullptr;
}

bool begins_anew(const Campaign& c) { return c.published.back().repeats.has_value(); }

std::vector<Digest> wanted_adapters(const Campaign& c) {
  std::vector<Digest> wanted;
  for (const Published& each : c.published) wanted.push_back(each.adapter);
  if (c.rollback) wanted.push_back(c.rollback->adapter);
  return wanted;
}

std::uint32_t spent_count(const Campaign& c) {
  return static_cast<std::uint32_t>(
      std::count_if(c.nodes.begin(), c.nodes.end(),
                    [&](const auto& entry) { return entry.second.spent == c.version; }));
}

std::vector<Digest> wanted_documents(const Campaign& c) {
  std::vector<Digest> wanted;
  const auto add = [&](const round::Round& round) {
    if (round.plan.masked) wanted.push_back(round.plan.masked->document);
    for (const round::Member& member : round.cohort)
      for (const auto& document : member.said)
        if (document) wanted.push_back(*document);
  };
  if (const round::Round* open = open_round(c)) add(*open);
  for (const round::Round& round : c.given_up) add(round);
  for (const Group& group : c.groups) wanted.push_back(group.mean);
  return wanted;
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

std::string why_nobody_came(const Campaign& c) {
  if (!c.held_back.empty())
    return fmt::format(
        "{}; the contributions of {} nodes from version {} are spent, and fewer than {} others "
        "were "
        "ready: `freshet campaign rollback` goes on from an earlier version, or from this one anew",
        c.held_back, spent_count(c), c.version.value, c.rules.cohort_min);
  if (!c.groups.empty())
    return fmt::format(
        "{} of {} groups were summed from version {}, and fewer than {} nodes that "
        "were in none of them were ready: a rule needs {} groups",
        c.groups.size(), c.rules.groups, c.version.value, c.rules.cohort_min, c.rules.groups_min);
  if (const std::uint32_t spent = spent_count(c); spent > 0)
    return fmt::format(
        "the contributions of {} nodes from version {} were in a masked round that could neither "
        "be opened nor be given up by enough signatures, so they are spent; fewer than {} other "
        "nodes were ready",
        spent, c.version.value, c.rules.cohort_min);
  return fmt::format("fewer than {} nodes were ready on version {} for {} s", c.rules.cohort_min,
                     c.version.value, c.rules.gather_ms / 1000);
}

bool operator==(const Campaign& a, const Campaign& b) {
  return a.id == b.id && a.rules == b.rules && a.version == b.version && a.adapter == b.adapter &&
         a.last_round == b.last_round && a.aborts == b.aborts && a.nodes == b.nodes &&
         a.given_up == b.given_up && a.published == b.published && a.groups == b.groups &&
         a.held_back == b.held_back && a.rollback == b.rollback && a.phase == b.phase;
}

}  // namespace freshet::campaign
