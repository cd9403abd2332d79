#pragma once
// Nodes in masked rounds with real keys, certificates and recovery, and a coordinator as plain as
// can be: a test tells it what to say next, honest or not. No network, no disk.

#include <gtest/gtest.h>

#include <algorithm>

#include "edge_node/masked_round.h"
#include "tests/crypto/certificates/authority_keys.h"

namespace freshet {

inline constexpr std::uint32_t kNodes = 8;
inline constexpr std::size_t kWords = 40;  // of a vector

struct TestNode {
  Identity identity = Identity::generate();
  Bytes certificate;
  std::vector<std::uint32_t> words;
  std::unique_ptr<MaskedRound> round;
  std::vector<NodeMessage> sent;
  std::optional<SpentBase> record;  // durable
  int charges = 0, trust_asked = 0;
  bool broke = false;  // its ledger refuses
  bool disk_full = false;

  template <class T>
  const T* last() const {
    for (auto at = sent.rbegin(); at != sent.rend(); ++at)
      if (const auto* found = std::get_if<T>(&*at)) return found;
    return nullptr;
  }
  template <class T>
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::count_if(sent.begin(), sent.end(),
                      [](const NodeMessage& m) { return std::holds_alternative<T>(m); }));
  }
  const exchange::Over& over() const {
    static const exchange::Over kNot{exchange::Ending::kFinished, "it is not over", {}, false};
    return round->over() != nullptr ? *round->over() : kNot;
  }
};

class MaskedCohort {
 public:
  explicit MaskedCohort(std::uint32_t n);

  MaskedRoundHooks hooks_of(TestNode& node);
  void join(TestNode& node) {
    MaskedRoundPlan plan{descriptor, node_supplied(node), Digest{2},       exchange::Rules{},
                         {1, 1},     7 * 24 * 3600,       node.certificate};
    node.sent.clear();
    node.round = MaskedRound::join(node.identity, std::move(plan), hooks_of(node),
                                   secagg::RoundKeys::make(), now)
                     .value();
  }
  Digest node_supplied(const TestNode& node) const {
    return &node == other_model ? Digest{99} : descriptor.supplied;
  }

  // ---- what an honest coordinator says in each phase, to all

  void advertise() {
    for (TestNode& node : nodes) join(node);
    roster.clear();
    for (TestNode& node : nodes) {
      const Advertise& a = *node.last<Advertise>();
      roster.push_back({a.certificate, a.advert, a.signature});
    }
  }
  RosterPage page() const {
    return {sid_of(descriptor),
            opening,
            Digest{},
            0,
            0,
            static_cast<std::uint32_t>(roster.size()),
            roster};
  }
  void share() {
    for (TestNode& node : nodes) ASSERT_TRUE(node.round->take(page(), now));
  }
  // What arrives at `to` when `sharers` did.
  Forward forward(std::uint32_t to, const exchange::Members& sharers) const;
  void mask(const exchange::Members& sharers) {
    for (const std::uint32_t i : sharers)
      ASSERT_TRUE(nodes[i].round->take(forward(i, sharers), now));
  }
  void name(const exchange::Members& survivors) {
    for (const std::uint32_t i : survivors)
      ASSERT_TRUE(nodes[i].round->take(Survivors{sid_of(descriptor), survivors}, now));
  }
  Quorum quorum(const exchange::Members& signers) const {
    Quorum quorum{sid_of(descriptor), {}};
    for (const std::uint32_t i : signers)
      quorum.signatures.push_back({i, nodes[i].last<AgreeSurvivors>()->signature});
    return quorum;
  }
  void reveal(const exchange::Members& survivors) {
    for (const std::uint32_t i : survivors)
      ASSERT_TRUE(nodes[i].round->take(quorum(survivors), now));
  }

  // The sum of what the survivors sent, without its masks.
  std::vector<std::uint32_t> unmasked(const exchange::Members& sharers,
                                      const exchange::Members& survivors) const;
  std::vector<std::uint32_t> plain(const exchange::Members& survivors) const {
    std::vector<std::uint32_t> sum(kWords);
    for (const std::uint32_t i : survivors)
      for (std::size_t w = 0; w < kWords; ++w) sum[w] += nodes[i].words[w];
    return sum;
  }
  static ByteView packed_of(const TestNode& node) {
    return ByteView(node.last<UploadChunk>()->data).subspan(kFrameSignatureBytes);
  }
  exchange::Members everybody() const {
    exchange::Members all;
    for (std::uint32_t i = 0; i < nodes.size(); ++i) all.push_back(i);
    return all;
  }
  exchange::Members all_but(std::uint32_t member) const {
    exchange::Members some = everybody();
    std::erase(some, member);
    return some;
  }

  AuthorityKeys keys;
  Trust trust = keys.trust();
  std::vector<TestNode> nodes;  // by rising id, as in the roster
  Descriptor descriptor;
  Digest opening{};
  std::vector<RosterMember> roster;
  const TestNode* other_model = nullptr;  // this one was given another
  Instant now{1'000};
};

}  // namespace freshet
