#include "simulations/invariants.h"

#include <fmt/core.h>

#include <algorithm>

#include "aggregation/quantize.h"
#include "base/limits.h"
#include "coordinator/campaign_record.h"
#include "crypto/digest.h"
#include "simulations/toy_training.h"

namespace freshet::sim {
namespace {

constexpr std::int64_t kSummingMsMax =
    60'000;  // slack for adding, and adding again without spoiled updates

constexpr std::int64_t kMaskedPhases = 7;

}  // namespace

Invariants::Invariants(const World& world, const Machines& machines,
                       const campaign::Campaign& initial, const std::vector<float>& adapter)
    : world_(world), machines_(machines), promises_(world), shadow_(initial), adapter_(adapter) {}

void Invariants::violated(std::string what) {
  if (!violation_) violation_ = std::move(what);
}

// ---- nodes

void Invariants::said_ready(NodeId node, VersionId base) { ready_.insert({node, base}); }

void Invariants::sealed(NodeId node, VersionId base, RoundId round, const Words& update,
                        const Digest& upload) {
  auto [first, fresh] = contributed_.emplace(std::pair{node, base}, update);
  if (!fresh && first->second->words != update->words)
    violated(fmt::format("node {} contributed two different vectors from version {}", node.value,
                         base.value));
  sealed_.emplace(upload, Sealed{node, round, update});
}

// ---- the journal's own account

void Invariants::read(Journal& journal, Instant now) {
  auto replayed =
      journal.replay(next_entry_, [&](std::uint64_t sequence, ByteView entry) -> Result<void> {
        next_entry_ = sequence + 1;
        TRY_ASSIGN(const campaign::Event event, campaign::decode_event(entry));
        if (campaign::encode(event) != to_bytes(entry))
          violated("a journal entry has a second form");
        collecting_ = std::holds_alternative<campaign::Collecting>(shadow_.phase);
        std::optional<round::Round> opened;
        if (std::holds_alternative<campaign::Summed>(event))
          if (const round::Round* open = campaign::open_round(shadow_)) opened = *open;
        campaign::Step step = machines_.campaign(std::move(shadow_), event);
        shadow_ = std::move(step.next);
        if (!step.durable) violated("the journal holds an event that changes nothing");
        account(event);
        promises_.read(event);
        if (opened && opened->plan.masked) promises_.published(*opened);
        if (std::holds_alternative<campaign::Recovered>(event)) open_since_ = now;
        return {};
      });
  if (!replayed) violated("the journal does not replay: " + replayed.error().what);
}

void Invariants::open_account(const round::Round& round) {
  Account account;
  account.base = round.plan.base;
  for (const round::Member& member : round.cohort) {
    if (!account.cohort.insert(member.node).second)
      violated(fmt::format("node {} is twice in a cohort", member.node.value));
    if (!ready_.contains({member.node, round.plan.base}))
      violated(fmt::format("node {} was invited, but never said it was ready on version {}",
                           member.node.value, round.plan.base.value));
  }
  if (account.cohort.size() < world_.rules.cohort_min ||
      account.cohort.size() > world_.rules.cohort_max)
    violated(fmt::format("a cohort of {} nodes; the plan says {} to {}", account.cohort.size(),
                         world_.rules.cohort_min, world_.rules.cohort_max));
  if (!accounts_.emplace(round.plan.id, std::move(account)).second)
    violated(fmt::format("round {} was opened twice", round.plan.id.value));
}

void Invariants::account(const campaign::Event& event) {
  const round::Round* open = campaign::open_round(shadow_);
  if (std::holds_alternative<campaign::RoundOpened>(event)) {
    if (open == nullptr) return violated("a round was opened that is not there");
    return open_account(*open);
  }
  if (const auto* uploaded = std::get_if<campaign::Uploaded>(&event)) {
    auto at = accounts_.find(uploaded->round);
    // A masked round takes vectors only of those who dealt shares.
    const round::Member* member =
        open != nullptr && open->plan.masked ? round::find(*open, uploaded->node) : nullptr;
    const bool taken = member == nullptr ? !world_.rules.masked : member->upload.has_value();
    if (taken && collecting_ && at != accounts_.end() && at->second.cohort.contains(uploaded->node))
      at->second.first_uploads.emplace(uploaded->node, uploaded->upload);
  } else if (const auto* spoiled = std::get_if<campaign::Spoiled>(&event)) {
    for (NodeId node : spoiled->nodes) accounts_[spoiled->round].first_uploads.erase(node);
  } else if (const auto* summed = std::get_if<campaign::Summed>(&event)) {
    check_publication(*summed);
  }
}

// The next adapter, computed again from what the survivors' sessions contributed, in our own loop.
std::optional<std::vector<float>> Invariants::next_adapter(const Account& account) {
  QuantizedSum sum;
  sum.words.assign(world_.entries + 1, 0);
  for (const auto& [node, upload] : account.first_uploads) {
    auto sealed = sealed_.find(upload);
    if (sealed == sealed_.end() || sealed->second.node != node) {
      violated(
          fmt::format("node {} is in the sum with bytes that it did not contribute", node.value));
      return std::nullopt;
    }
    const std::vector<std::uint32_t>& words = sealed->second.update->words;
    if (words.size() != sum.words.size()) {
      violated(fmt::format("node {} is in the sum with {} words", node.value, words.size()));
      return std::nullopt;
    }
    for (std::size_t i = 0; i < words.size(); ++i) sum.words[i] += words[i];
    ++sum.count;
  }
  auto mean = dequantize_mean(sum, world_.plan.grid);
  if (!mean) {
    violated("the sum has no mean: " + mean.error().what);
    return std::nullopt;
  }
  ServerStep step = server_step(world_.plan.rule, moments_, *mean);
  moments_ = std::move(step.moments);
  std::vector<float> next = adapter_;
  for (std::size_t i = 0; i < next.size(); ++i) next[i] += step.delta[i];
  return next;
}

void Invariants::check_publication(const campaign::Summed& event) {
  auto at = accounts_.find(event.round);
  if (at == accounts_.end())
    return violated(fmt::format("version {} comes from no round", event.version.value));
  Account& account = at->second;
  if (account.published)
    return violated(fmt::format("round {} was published twice", event.round.value));
  account.published = true;
  if (shadow_.version != event.version || shadow_.adapter != event.adapter ||
      event.version.value != account.base.value + 1 || campaign::open_round(shadow_) != nullptr)
    return violated(fmt::format("version {} and round {} did not commit together",
                                event.version.value, event.round.value));
  if (account.first_uploads.size() < world_.rules.survivors_min)
    return violated(fmt::format("version {} has {} survivors, the plan wants {}",
                                event.version.value, account.first_uploads.size(),
                                world_.rules.survivors_min));
  auto next = next_adapter(account);
  if (!next) return;
  adapter_ = std::move(*next);
  const Bytes bytes = floats_to_bytes(adapter_);
  if (digest_of(bytes) != event.adapter || blobs_[event.adapter] != bytes)
    violated(fmt::format("the adapter of version {} is not what its {} survivors add up to",
                         event.version.value, account.first_uploads.size()));
}

// ---- the coordinator

void Invariants::check_parts(const campaign::Campaign& live) {
  const auto* gathering = std::get_if<campaign::Gathering>(&live.phase);
  if (gathering != nullptr && gathering->ready != campaign::ready_count(live))
    violated(fmt::format("{} nodes are counted as ready, {} are", gathering->ready,
                         campaign::ready_count(live)));
  const round::Round* open = campaign::open_round(live);
  if (open == nullptr) return;
  auto account = accounts_.find(open->plan.id);
  if (account == accounts_.end())
    return violated(fmt::format("round {} is open, but not in the journal", open->plan.id.value));
  for (const round::Member& member : open->cohort) {
    if (!account->second.cohort.contains(member.node))
      violated(fmt::format("node {} joined the cohort of an open round", member.node.value));
    if (!member.upload) continue;
    auto first = account->second.first_uploads.find(member.node);
    if (first == account->second.first_uploads.end() || first->second != *member.upload)
      violated(fmt::format("the upload of node {} is not its first in round {}", member.node.value,
                           open->plan.id.value));
  }
}

void Invariants::after_event(Journal& journal, const campaign::Campaign& live, Instant now) {
  read(journal, now);
  if (!(live == shadow_)) violated("memory is not what the journal replays to");
  check_parts(live);
  time_passed(live, now);
}

void Invariants::check_sum(const campaign::AddAndStep& effect) {
  const Account& account = accounts_[effect.round];
  std::set<NodeId> added;
  for (const round::Survivor& survivor : effect.survivors) {
    if (!added.insert(survivor.node).second)
      violated(fmt::format("node {} is added twice", survivor.node.value));
    if (!account.cohort.contains(survivor.node))
      violated(fmt::format("node {} is added and was not in the cohort", survivor.node.value));
    auto first = account.first_uploads.find(survivor.node);
    if (first == account.first_uploads.end() || first->second != survivor.upload)
      violated(
          fmt::format("node {} is added with bytes that were not accepted", survivor.node.value));
  }
  if (added.size() != account.first_uploads.size())
    violated(fmt::format("{} of {} accepted updates are added", added.size(),
                         account.first_uploads.size()));
  if (added.size() < world_.rules.survivors_min)
    violated(fmt::format("{} updates are added, the plan wants {}", added.size(),
                         world_.rules.survivors_min));
}

void Invariants::acts(const campaign::Effect& effect) {
  if (const auto* sum = std::get_if<campaign::AddAndStep>(&effect)) check_sum(*sum);
  if (const auto* accepted = std::get_if<campaign::SendAccepted>(&effect)) {
    const auto& uploads = accounts_[accepted->round].first_uploads;
    auto first = uploads.find(accepted->node);
    if (first == uploads.end() || first->second != accepted->upload)
      violated(fmt::format("node {} was told that bytes count which do not", accepted->node.value));
  }
  const auto* receipt = std::get_if<campaign::SendReceipt>(&effect);
  if (receipt == nullptr) return;
  const Account& account = accounts_[receipt->round];
  if (receipt->published != account.published)
    violated(fmt::format("the receipt of round {} does not say whether it was published",
                         receipt->round.value));
  std::vector<NodeId> survivors;
  if (account.published)
    for (const auto& [node, upload] : account.first_uploads) survivors.push_back(node);
  if (receipt->survivors != survivors)
    violated(fmt::format("the receipt of round {} names others", receipt->round.value));
}

void Invariants::recovered(Journal& journal, const campaign::Campaign& replayed, Instant now) {
  read(journal, now);
  if (!(replayed == shadow_)) violated("recovery does not lead to the state before");
  auto decoded = campaign::decode_campaign(campaign::encode(replayed));
  if (!decoded || !(*decoded == replayed)) violated("a snapshot does not give its state back");
}

void Invariants::time_passed(const campaign::Campaign& live, Instant now) {
  const round::Round* open = campaign::open_round(live);
  if (open == nullptr) {
    open_ = RoundId{0};
  } else if (open->plan.id != open_) {
    open_ = open->plan.id;
    open_since_ = now;
  } else if (now - open_since_ >
             (world_.rules.masked ? kMaskedPhases : 1) * world_.rules.round_ms + kSummingMsMax) {
    violated(fmt::format("round {} does not end", open_.value));
  }
}

void Invariants::ended(const campaign::Campaign& live, bool in_time) {
  if (!in_time) violated(fmt::format("the campaign is not over after {} s", world_.end_ms / 1000));
  const auto* failed = std::get_if<campaign::Failed>(&live.phase);
  if (failed != nullptr && failed->why.empty()) violated("the campaign failed without a reason");
  if (std::holds_alternative<campaign::Finished>(live.phase) &&
      live.version.value != world_.rules.rounds)
    violated(fmt::format("the campaign finished with version {} of {}", live.version.value,
                         world_.rules.rounds));
  for (const auto& [id, node] : live.nodes)
    if (node.offences > 0 && world_.nodes[index_of(world_, id)].lie == Lie::kNone)
      violated(fmt::format("honest node {} is charged with {} offences", id.value, node.offences));
}

}  // namespace freshet::sim
