#include "tests/simulations/puppet.h"

namespace freshet::sim {

Puppet::Puppet(std::uint32_t count, std::function<void(Descriptor&)> change,
               std::shared_ptr<const Members> known)
    : n(count),
      members(known ? std::move(known)
                    : std::make_shared<const Members>(count, std::vector<std::size_t>())),
      said(count),
      spent(count),
      nodes(count) {
  opening.fill(7);
  descriptor.round = RoundId{1};
  descriptor.supplied.fill(3);
  descriptor.clip = 1;
  descriptor.grid = Grid{0.5f, 12, 1};
  descriptor.word_bits = 20;
  descriptor.cohort_max = 64;
  descriptor.honest_min = 2;
  descriptor.trust = members->trust()->serial();
  descriptor.beacon = beacon_commitment(opening);
  if (change) change(descriptor);
  supplied.assign(n, descriptor.supplied);
  trusts.assign(n, members->trust());
  for (std::uint32_t i = 0; i < n; ++i) {
    QuantizedUpdate update{std::vector<std::uint32_t>(kWords + 1, 100 * i)};
    for (std::size_t w = 0; w < kWords; ++w) update.words[w] += static_cast<std::uint32_t>(w);
    update.words.back() = 1;
    updates.push_back(std::move(update));
  }
}

void Puppet::advertise() {
  for (std::uint32_t i = 0; i < n; ++i) {
    MaskedRoundHooks hooks;
    hooks.send = [this, i](const NodeMessage& message) -> Result<void> {
      said[i].push_back(message);
      return {};
    };
    hooks.record = [this, i](const SpentBase& record) -> Result<void> {
      spent[i] = record;
      return {};
    };
    hooks.charge = []() -> Result<void> { return {}; };
    hooks.contribution = [this, i]() -> Result<QuantizedUpdate> { return updates[i]; };
    hooks.trust = [this, i] { return trusts[i]; };
    hooks.fetch_trust = [](const Digest&, std::uint64_t) {};
    hooks.wall_s = [] { return kNowS; };
    hooks.made = [](ByteView, const QuantizedUpdate&) {};
    MaskedRoundPlan plan{
        descriptor, supplied[i], {}, rules, newcomers, newcomer_s, members->certificate(i)};
    auto joined = MaskedRound::join(members->node(i), std::move(plan), std::move(hooks),
                                    members->make_keys(), now);
    ASSERT_TRUE(joined) << joined.error().what;
    nodes[i] = std::move(*joined);
  }
}

RosterPage Puppet::roster_page() const {
  RosterPage page{sid_of(descriptor), opening, {}, 0, 0, n, {}};
  for (std::uint32_t i = 0; i < n; ++i) {
    const auto& advert = *heard<Advertise>(i);
    page.members.push_back({advert.certificate, advert.advert, advert.signature});
  }
  return page;
}

void Puppet::send_roster() {
  const RosterPage page = roster_page();
  for (std::uint32_t i = 0; i < n; ++i) say(i, page);
}

Forward Puppet::forward_to(std::uint32_t node, const Places& sharers) const {
  Forward forward{sid_of(descriptor), sharers, {}};
  for (const std::uint32_t from : sharers) {
    if (from == node) continue;
    for (const SignedBox& box : heard<ShareBundle>(from)->boxes)
      if (box.peer == node) forward.boxes.push_back({from, box.box, box.signature});
  }
  return forward;
}

void Puppet::forward(const Places& sharers) {
  for (const std::uint32_t node : sharers) say(node, forward_to(node, sharers));
}

void Puppet::name_survivors(const Places& survivors) {
  // Every vector has come whole.
  for (const std::uint32_t node : survivors) {
    const auto* chunk = heard<UploadChunk>(node);
    ASSERT_NE(chunk, nullptr);
    say(node, ChunkAck{descriptor.round, chunk->blob, chunk->size});
  }
  for (const std::uint32_t node : survivors) say(node, Survivors{sid_of(descriptor), survivors});
}

Quorum Puppet::quorum_of_signers(const Places& signers) const {
  Quorum quorum{sid_of(descriptor), {}};
  for (const std::uint32_t node : signers)
    if (const auto* agreed = heard<AgreeSurvivors>(node))
      quorum.signatures.push_back({node, agreed->signature});
  return quorum;
}

void Puppet::send_quorum(const Places& signers) {
  const Quorum quorum = quorum_of_signers(signers);
  for (const std::uint32_t node : signers) say(node, quorum);
}

void Puppet::run_to_vectors() {
  advertise();
  send_roster();
  forward(all_of(n));
  ASSERT_EQ(count_all<UploadChunk>(), n);
}

void Puppet::expect_nothing_revealed() const { EXPECT_EQ(count_all<Reveal>(), 0u); }

void Puppet::expect_all_refuse(std::string_view why) const {
  for (std::uint32_t i = 0; i < n; ++i) {
    const exchange::Over* over = nodes[i]->over();
    ASSERT_NE(over, nullptr) << "node " << i << " goes on";
    EXPECT_EQ(over->ending, exchange::Ending::kRefused) << "node " << i << ": " << over->why;
    EXPECT_NE(over->why.find(why), std::string::npos) << "node " << i << ": " << over->why;
    EXPECT_FALSE(nodes[i]->has_keys()) << "node " << i;
  }
  expect_nothing_revealed();
}

}  // namespace freshet::sim
