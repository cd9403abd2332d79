#pragma once
// A cohort that goes through a masked round without a network: everybody's keys, boxes and vectors.

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "base/rng.h"
#include "crypto/digest.h"
#include "crypto/secagg/mask_stream.h"
#include "crypto/secagg/recovery.h"
#include "crypto/secagg/round_keys.h"

namespace freshet::secagg {

using Indices = std::vector<std::uint32_t>;
using Words = std::vector<std::uint32_t>;

inline Indices first_indices(std::uint32_t n) {
  Indices all(n);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

inline Bound bound_for_test() {
  Bound bound;
  bound.sid.fill(0xaa), bound.supplied.fill(0xbb), bound.roster.fill(0xcc);
  return bound;
}

// Every two members of n, or a ring with `reach` neighbours on either side.
inline std::function<Indices(std::uint32_t)> ring(std::uint32_t n, std::uint32_t reach) {
  return [n, reach](std::uint32_t index) {
    Indices around;
    for (std::uint32_t other = 0; other < n; ++other) {
      const std::uint32_t apart = (other + n - index) % n;
      if (other != index && (apart <= reach || n - apart <= reach)) around.push_back(other);
    }
    return around;
  };
}
inline std::function<Indices(std::uint32_t)> complete(std::uint32_t n) { return ring(n, n); }

inline std::vector<Peer> peers_of(const std::vector<Advert>& roster, const Indices& indices) {
  std::vector<Peer> peers;
  for (const std::uint32_t index : indices) peers.push_back({index, roster[index]});
  return peers;
}

struct Cohort {
  Cohort(std::uint32_t n, std::uint32_t shares, std::function<Indices(std::uint32_t)> graph)
      : threshold(shares), neighbours(std::move(graph)) {
    scalars.reserve(n);
    for (std::uint32_t i = 0; i < n; ++i) {
      Seams seams = usual_seams();
      scalars.push_back({});
      seams.fill = [this, i, drawn = false](std::span<std::uint8_t> out) mutable {
        random_bytes(out);
        if (!std::exchange(drawn, true))
          scalars[i] = reduce(std::span<const std::uint8_t, 64>(out.data(), 64));
      };
      keys.push_back(RoundKeys::make_with(std::move(seams)));
      roster.push_back(keys.back().advert());
    }
    for (std::uint32_t i = 0; i < n; ++i) {
      const Indices around = neighbours(i);
      auto boxes = keys[i].share(bound, i, peers_of(roster, around), threshold);
      EXPECT_TRUE(boxes) << boxes.error().what;
      for (const SealedShare& box : *boxes) sent[{i, box.to}] = box;
    }
  }

  // What `from` would send if it dealt these shares.
  SealedShare box_around(std::uint32_t from, std::uint32_t to,
                         std::span<const std::uint8_t, 64> shares) const {
    Scalar agreed;
    EXPECT_TRUE(agree_on_cipher(scalars[from], roster[to].cipher, agreed));
    return seal_shares(bound, {from, to, roster[from].cipher, roster[to].cipher}, agreed, shares,
                       random_bytes);
  }

  // Hands every box among `sharers` to its receiver.
  void deliver(const Indices& sharers) {
    for (const auto& [way, box] : sent) {
      if (!std::ranges::count(sharers, way.first) || !std::ranges::count(sharers, way.second))
        continue;
      EXPECT_TRUE(keys[way.second].take(way.first, box));
    }
  }

  // Sum modulo 2^bits of what the survivors of `sharers` send; member i has i + 1, i + 2, ...
  Words masked_sum(const Indices& sharers, const Indices& survivors, std::size_t size, int bits) {
    Words sum(size);
    for (const std::uint32_t member : sharers) {
      Words words = update(member, size);
      EXPECT_TRUE(keys[member].mask(words, bits, sharers));
      if (!std::ranges::count(survivors, member)) continue;
      for (std::size_t i = 0; i < size; ++i) sum[i] += words[i];
    }
    keep_bits(sum, bits);
    return sum;
  }

  static Words update(std::uint32_t member, std::size_t size) {
    Words words(size);
    for (std::size_t i = 0; i < size; ++i) words[i] = member + static_cast<std::uint32_t>(i) + 1;
    return words;
  }
  static Words plain_sum(const Indices& survivors, std::size_t size) {
    Words sum(size);
    for (const std::uint32_t member : survivors)
      for (std::size_t i = 0; i < size; ++i) sum[i] += update(member, size)[i];
    return sum;
  }

  Unmasking unmasking(const Indices& sharers, const Indices& survivors, bool with_boxes = true) {
    Unmasking round{bound, roster, sharers, survivors, threshold, neighbours, {}};
    if (with_boxes)
      round.box = [this](std::uint32_t from, std::uint32_t to) -> std::optional<SealedShare> {
        return sent.contains({from, to}) ? std::optional(sent[{from, to}]) : std::nullopt;
      };
    return round;
  }

  Bound bound = bound_for_test();
  std::uint32_t threshold;
  std::function<Indices(std::uint32_t)> neighbours;
  std::vector<RoundKeys> keys;
  std::vector<Scalar> scalars;  // of their cipher keys
  std::vector<Advert> roster;
  std::map<std::pair<std::uint32_t, std::uint32_t>, SealedShare> sent;
};

}  // namespace freshet::secagg
