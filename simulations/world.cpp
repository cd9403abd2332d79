#include "simulations/world.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "simulations/masked/members.h"

namespace freshet::sim {
namespace {

constexpr std::uint64_t kWorldStream = 1;
constexpr std::int64_t kFaultsMs = 240'000;  // faults are planned for the first part of a campaign

Outage outage(Rng& rng, std::int64_t ms_min, std::int64_t ms_max) {
  Instant from{between(rng, 0, kFaultsMs)};
  return Outage{from, from + between(rng, ms_min, ms_max)};
}

NodeTraits node_traits(Rng& rng, double unruly) {
  NodeTraits node;
  node.training_ms =
      happens(rng, 0.1) ? between(rng, 30'000, 120'000) : between(rng, 1'000, 15'000);
  if (happens(rng, unruly)) {
    constexpr int kLies = static_cast<int>(Lie::kReplayer);
    node.lie = static_cast<Lie>(between(rng, 1, kLies));
  }
  if (happens(rng, unruly)) node.trainer_fails = 0.3;
  if (happens(rng, unruly)) node.vanishes = Instant{between(rng, 0, kFaultsMs)};
  for (int i = 0; i < 3; ++i)
    if (happens(rng, unruly)) node.restarts.push_back(outage(rng, 100, 30'000));
  std::sort(node.restarts.begin(), node.restarts.end(),
            [](const Outage& a, const Outage& b) { return a.from < b.from; });
  return node;
}

NetworkTraits network_traits(Rng& rng) {
  NetworkTraits network;
  constexpr std::int64_t kSlowest[] = {20, 200, 3'000};
  network.delay_max_ms = kSlowest[rng.below(3)];
  if (happens(rng, 0.7)) network.loss = rng.uniform() * 0.1;
  if (happens(rng, 0.7)) network.duplicate = rng.uniform() * 0.1;
  for (int i = 0; i < 2; ++i)
    if (happens(rng, 0.4))
      network.partitions.push_back({outage(rng, 1'000, 60'000), rng.uniform()});
  return network;
}

std::vector<CrashPlan> crash_plans(Rng& rng, std::uint32_t nodes) {
  std::vector<CrashPlan> crashes;
  for (auto left = rng.below(5); left > 0; --left) {
    CrashPlan crash;
    if (happens(rng, 0.7)) crash.write = 1 + rng.below(nodes * 2);
    crash.kept = happens(rng, 0.5);
    crash.effect = 1 + rng.below(nodes * 4);
    crash.down_ms = between(rng, 10, 40'000);
    crashes.push_back(crash);
  }
  return crashes;
}

CampaignPlan plan_of(const campaign::Rules& rules, Rng& rng) {
  CampaignPlan plan;
  plan.name = "simulated";
  plan.rounds = rules.rounds;
  plan.cohort_min = rules.cohort_min;
  plan.cohort_max = rules.cohort_max;
  plan.survivors_min = rules.survivors_min;
  plan.ready_ms = rules.ready_ms;
  plan.round_ms = rules.round_ms;
  plan.clip = 1;
  plan.grid = Grid{0.5f, 16, 1};
  const ServerRule kRules[] = {Sgd{}, Momentum{}, Adam{}, Yogi{}};
  plan.rule = kRules[rng.below(4)];
  return plan;
}

constexpr std::uint64_t kMaskedStream = 4;
constexpr Lie kMaskedLies[] = {Lie::kWrongDigest,   Lie::kNotANumber,        Lie::kUnknownMessage,
                               Lie::kWrongBase,     Lie::kOutsider,          Lie::kWrongShare,
                               Lie::kBadBox,        Lie::kFalseComplaint,    Lie::kSecondVector,
                               Lie::kReplaysRounds, Lie::kRevokedCertificate};

// The same world with masked rounds: other lies, deaths in the middle of a round, and a cohort that
// can hold enough honest nodes.
void mask(World& world) {
  Rng rng(world.seed, kMaskedStream);
  campaign::Rules& rules = world.rules;
  CampaignPlan& plan = world.plan;
  const auto nodes = static_cast<std::uint32_t>(world.nodes.size());
  plan.mode = Mode::kMasked;
  plan.masking.honest_min = 1 + static_cast<std::uint32_t>(rng.below(3));
  plan.masking.phase_ms = between(rng, 5'000, 20'000);
  rules.cohort_min = plan.cohort_min = std::min(nodes, std::max(rules.cohort_min, 5u));
  rules.cohort_max = plan.cohort_max = std::max(rules.cohort_max, rules.cohort_min);
  rules.survivors_min = plan.survivors_min =
      std::min(rules.survivors_min, rules.cohort_min / 2 + 1);
  rules.masked = true;
  rules.masking = plan.masking;
  for (NodeTraits& node : world.nodes) {
    if (node.lie != Lie::kNone) node.lie = kMaskedLies[rng.below(std::size(kMaskedLies))];
    if (!happens(rng, 0.1)) continue;
    node.stop = static_cast<Stop>(1 + rng.below(5));
    node.stop_ms = between(rng, 100, 60'000);
  }
}

void certify(World& world) {
  std::vector<std::size_t> revoked;
  for (std::size_t i = 0; i < world.nodes.size(); ++i)
    if (world.nodes[i].lie == Lie::kRevokedCertificate) revoked.push_back(i);
  auto members = std::make_shared<const Members>(world.nodes.size(), revoked);
  for (std::size_t i = 0; i < world.nodes.size(); ++i)
    world.ids.push_back(members->node(i).open.id());
  world.members = std::move(members);
}

void calm_down(World& world, Calm calm) {
  const auto nodes = static_cast<std::uint32_t>(world.nodes.size());
  campaign::Rules& rules = world.rules;
  CampaignPlan& plan = world.plan;
  for (NodeTraits& node : world.nodes) {
    node = NodeTraits{};
    node.in_step = true;
  }
  world.network = NetworkTraits{};
  world.crashes.clear();
  world.snapshot_every = 0;
  world.chunk_bytes = limits::kChunkBytes;
  rules.rounds = plan.rounds = 1;
  rules.cohort_min = rules.cohort_max = plan.cohort_min = plan.cohort_max = nodes;
  rules.survivors_min = plan.survivors_min = 1;
  // Where more than half of the members may vanish, no sparse graph will do.
  plan.masking.corrupt = {1, 10};
  plan.masking.dropped = calm == Calm::kSparse ? Fraction{1, 10} : Fraction{9, 10};
  rules.masking = plan.masking;
}

}  // namespace

World world_of(std::uint64_t seed, Size size, bool wire) {
  Rng rng(seed, kWorldStream);
  World world;
  world.seed = seed;
  world.wire = wire;
  const std::uint32_t nodes = size.nodes;
  campaign::Rules& rules = world.rules;
  rules.rounds = size.rounds;
  rules.cohort_min = 1 + static_cast<std::uint32_t>(rng.below(std::max(1u, nodes / 2)));
  rules.cohort_max = happens(rng, 0.5) ? nodes : std::max(rules.cohort_min, nodes / 2);
  rules.survivors_min = 1 + static_cast<std::uint32_t>(rng.below(rules.cohort_min));
  rules.ready_ms = between(rng, 0, 60'000);
  rules.round_ms = between(rng, 5'000, 30'000);
  rules.gather_ms = 300'000;
  world.plan = plan_of(rules, rng);
  const double unruly = rng.below(4) == 0 ? 0 : rng.uniform() * 0.3;
  for (std::uint32_t i = 0; i < nodes; ++i) world.nodes.push_back(node_traits(rng, unruly));
  world.network = network_traits(rng);
  world.crashes = crash_plans(rng, nodes);
  world.summing_ms = between(rng, 1, 3'000);
  if (happens(rng, 0.7)) world.snapshot_every = 1 + rng.below(nodes * 2);
  world.entries = size.entries;
  if (size.masked) mask(world);
  if (size.calm != Calm::kNo) calm_down(world, size.calm);
  if (size.masked) certify(world);
  constexpr std::int64_t kMaskedPhases = 7;
  const std::int64_t round_ms = size.masked ? kMaskedPhases * rules.round_ms : rules.round_ms;
  const std::int64_t attempt_ms = rules.gather_ms + rules.ready_ms + round_ms + 60'000;
  world.end_ms =
      attempt_ms * static_cast<std::int64_t>(5 * rules.rounds + world.crashes.size() + 1);
  return world;
}

NodeId id_of(const World& world, std::size_t node) {
  return world.ids.empty() ? NodeId{node + 1} : world.ids[node];
}

std::size_t index_of(const World& world, NodeId node) {
  if (world.ids.empty()) return static_cast<std::size_t>(node.value - 1);
  const auto at = std::lower_bound(world.ids.begin(), world.ids.end(), node);
  CHECK(at != world.ids.end() && *at == node, "node {} is in no fleet", node.value);
  return static_cast<std::size_t>(at - world.ids.begin());
}

}  // namespace freshet::sim
