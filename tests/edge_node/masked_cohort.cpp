#include "tests/edge_node/masked_cohort.h"

#include "aggregation/pack.h"

namespace freshet {

MaskedCohort::MaskedCohort(std::uint32_t n) : nodes(n) {
  for (TestNode& node : nodes)
    node.certificate = issue(keys.certificate_of(node.identity), keys.issuer);
  std::sort(nodes.begin(), nodes.end(), [](const TestNode& a, const TestNode& b) {
    return a.identity.open.id() < b.identity.open.id();
  });
  for (std::uint32_t i = 0; i < n; ++i)
    for (std::uint32_t w = 0; w < kWords; ++w) nodes[i].words.push_back(1000 * (i + 1) + w);
  random_bytes(opening);
  descriptor.campaign = {5};
  descriptor.round = {1};
  descriptor.base = {3};
  descriptor.supplied = supplied_digest(Digest{1}, Digest{2}, {3});
  descriptor.clip = 1;
  descriptor.grid = {.range = 1, .bits = 16};
  descriptor.word_bits = 20;
  descriptor.cohort_max = 64;
  descriptor.trust = trust.serial();
  descriptor.beacon = beacon_commitment(opening);
}

MaskedRoundHooks MaskedCohort::hooks_of(TestNode& node) {
  MaskedRoundHooks hooks;
  hooks.send = [&node](const NodeMessage& message) -> Result<void> {
    node.sent.push_back(message);
    return {};
  };
  hooks.record = [&node](const SpentBase& spent) -> Result<void> {
    if (node.disk_full) return fail(Code::kNoSpace, "the disk is full");
    node.record = spent;
    return {};
  };
  hooks.charge = [&node]() -> Result<void> {
    EXPECT_FALSE(node.record && node.record->left) << "charged after the record";
    if (node.broke) return fail(Code::kRefused, "this node's budget is spent");
    ++node.charges;
    return {};
  };
  hooks.contribution = [&node]() -> Result<QuantizedUpdate> {
    EXPECT_TRUE(node.record && node.record->left) << "masked before the base was spent";
    return QuantizedUpdate{node.words};
  };
  hooks.trust = [this] { return std::make_shared<const Trust>(trust); };
  hooks.fetch_trust = [&node](const Digest&, std::uint64_t) { ++node.trust_asked; };
  hooks.wall_s = [] { return kNow; };
  hooks.made = [](ByteView, const QuantizedUpdate&) {};
  return hooks;
}

Forward MaskedCohort::forward(std::uint32_t to, const exchange::Members& sharers) const {
  Forward forward{sid_of(descriptor), sharers, {}};
  for (const std::uint32_t from : sharers) {
    const auto* bundle = nodes[from].last<ShareBundle>();
    if (from == to || bundle == nullptr) continue;
    for (SignedBox box : bundle->boxes)
      if (box.peer == to) {
        box.peer = from;
        forward.boxes.push_back(box);
      }
  }
  return forward;
}

std::vector<std::uint32_t> MaskedCohort::unmasked(const exchange::Members& sharers,
                                                  const exchange::Members& survivors) const {
  std::vector<std::uint32_t> sum(kWords);
  for (const std::uint32_t i : survivors) {
    const auto words = unpack(packed_of(nodes[i]), kWords, 20).value();
    for (std::size_t w = 0; w < kWords; ++w) sum[w] += words[w];
  }
  secagg::Unmasking round;
  round.bound = {sid_of(descriptor), descriptor.supplied,
                 roster_digest(sid_of(descriptor), roster)};
  for (const RosterMember& member : roster) round.roster.push_back(member.advert);
  round.sharers = sharers;
  round.survivors = survivors;
  const auto n = static_cast<std::uint32_t>(nodes.size());
  round.threshold = quorum_of(n, descriptor.corrupt);
  round.neighbours = [n](std::uint32_t member) {
    exchange::Members others;
    for (std::uint32_t i = 0; i < n; ++i)
      if (i != member) others.push_back(i);
    return others;
  };
  round.box = [](std::uint32_t, std::uint32_t) { return std::nullopt; };
  auto recovery = secagg::Recovery::start(std::move(round)).value();
  for (const std::uint32_t i : survivors)
    EXPECT_TRUE(recovery.take(i, nodes[i].last<Reveal>()->shares));
  const auto rebuilt = recovery.rebuild();
  EXPECT_TRUE(rebuilt) << rebuilt.error().what;
  recovery.remove(sum, 20);
  return sum;
}

}  // namespace freshet
