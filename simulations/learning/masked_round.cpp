#include "simulations/learning/masked_round.h"

#include <numeric>

#include "aggregation/graph.h"
#include "aggregation/mask.h"
#include "aggregation/pack.h"
#include "crypto/secagg/recovery.h"
#include "crypto/secagg/round_keys.h"

namespace freshet {
namespace {

constexpr double kCorrupt = 1.0 / 3;  // that secrets are shared against

using Indices = std::vector<std::uint32_t>;

Indices all_but(std::uint32_t own, std::uint32_t n) {
  Indices others;
  for (std::uint32_t i = 0; i < n; ++i)
    if (i != own) others.push_back(i);
  return others;
}

// Everybody's shares to everybody.
Result<void> share_all(std::vector<secagg::RoundKeys>& keys, const secagg::Bound& bound,
                       std::uint32_t threshold) {
  const auto n = static_cast<std::uint32_t>(keys.size());
  std::vector<std::vector<secagg::SealedShare>> boxes;
  for (std::uint32_t own = 0; own < n; ++own) {
    std::vector<secagg::Peer> peers;
    for (const std::uint32_t other : all_but(own, n))
      peers.push_back({other, keys[other].advert()});
    TRY_ASSIGN(auto made, keys[own].share(bound, own, peers, threshold));
    boxes.push_back(std::move(made));
  }
  for (std::uint32_t from = 0; from < n; ++from)
    for (const secagg::SealedShare& box : boxes[from]) TRY(keys[box.to].take(from, box));
  return {};
}

}  // namespace

Result<QuantizedSum> masked_sum(std::vector<QuantizedUpdate> updates, const Grid& grid,
                                const Digest& round) {
  const auto n = static_cast<std::uint32_t>(updates.size());
  TRY_ASSIGN(const int bits, word_bits(grid, n, 0));
  TRY_ASSIGN(const GraphPlan graph, plan_complete(n, kCorrupt));
  Indices everybody(n);
  std::iota(everybody.begin(), everybody.end(), 0);
  const secagg::Bound bound{round, round, round};
  std::vector<secagg::RoundKeys> keys;
  secagg::Unmasking unmasking;
  for (std::uint32_t i = 0; i < n; ++i) {
    keys.push_back(secagg::RoundKeys::make());
    unmasking.roster.push_back(keys.back().advert());
  }
  TRY(share_all(keys, bound, graph.threshold));

  MaskedSum sum;
  for (std::uint32_t i = 0; i < n; ++i) {
    TRY_ASSIGN(const MaskedUpdate masked, mask(std::move(updates[i]), bits, keys[i], everybody));
    TRY(add_packed(sum, pack(masked.words, bits), masked.words.size(), bits));
  }
  unmasking.bound = bound;
  unmasking.sharers = unmasking.survivors = everybody;
  unmasking.threshold = graph.threshold;
  unmasking.neighbours = [n](std::uint32_t own) { return all_but(own, n); };
  TRY_ASSIGN(secagg::Recovery recovery, secagg::Recovery::start(std::move(unmasking)));
  for (std::uint32_t i = 0; i < n; ++i) {
    TRY_ASSIGN(const auto shares, keys[i].reveal(everybody, everybody));
    TRY(recovery.take(i, shares));
  }
  TRY(recovery.rebuild());
  return unmask(std::move(sum), recovery);
}

}  // namespace freshet
