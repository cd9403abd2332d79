#pragma once
// Honest nodes, each running its own code for one masked round, around a coordinator that a test
// moves by hand. By default it is honest, step by step; a test changes what it says.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>

#include "aggregation/pack.h"
#include "base/check.h"
#include "crypto/digest.h"
#include "edge_node/masked_round.h"
#include "simulations/masked/members.h"

namespace freshet::sim {

using Places = exchange::Members;

inline Places all_of(std::uint32_t n) {
  Places all(n);
  std::iota(all.begin(), all.end(), 0);
  return all;
}
inline Places without(Places all, std::uint32_t gone) {
  std::erase(all, gone);
  return all;
}

class Puppet {
 public:
  static constexpr std::size_t kWords = 16;

  explicit Puppet(std::uint32_t n, std::function<void(Descriptor&)> change = {},
                  std::shared_ptr<const Members> members = nullptr);

  // ---- the honest way, one step after the other
  void advertise();  // all nodes join
  void send_roster();
  void forward(const Places& sharers);
  void name_survivors(const Places& survivors);
  void send_quorum(const Places& signers);
  // Up to where survivors are named.
  void run_to_vectors();

  // ---- what a cheating one says
  RosterPage roster_page() const;
  Forward forward_to(std::uint32_t node, const Places& sharers) const;
  Quorum quorum_of_signers(const Places& signers) const;
  template <class Message>
  void say(std::uint32_t node, const Message& message) {
    ASSERT_TRUE(nodes[node]->take(message, now));
  }

  // ---- what came of it
  template <class Message>
  const Message* heard(std::uint32_t node) const {
    for (auto at = said[node].rbegin(); at != said[node].rend(); ++at)
      if (const auto* message = std::get_if<Message>(&*at)) return message;
    return nullptr;
  }
  template <class Message>
  std::size_t count(std::uint32_t node) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        said[node], [](const NodeMessage& m) { return std::holds_alternative<Message>(m); }));
  }
  template <class Message>
  std::size_t count_all() const {
    std::size_t all = 0;
    for (std::uint32_t i = 0; i < n; ++i) all += count<Message>(i);
    return all;
  }
  // Every node left the round, refusing, with no key left and nothing revealed.
  void expect_all_refuse(std::string_view why) const;
  void expect_nothing_revealed() const;

  std::uint32_t n;
  Instant now{1'000};
  std::shared_ptr<const Members> members;
  Descriptor descriptor;
  Digest opening{};
  std::vector<Digest> supplied;  // of each node: what it has loaded
  std::vector<std::shared_ptr<const Trust>> trusts;
  Fraction newcomers{1, 1};
  std::int64_t newcomer_s = 7 * 86'400;
  std::vector<QuantizedUpdate> updates;
  exchange::Rules rules{2, {1, 3}};
  std::vector<std::vector<NodeMessage>> said;
  std::vector<std::optional<SpentBase>> spent;
  std::vector<std::unique_ptr<MaskedRound>> nodes;
};

}  // namespace freshet::sim
