#pragma once
// What travels between the members of a masked round: adverts, boxes with shares, revealed shares.

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "crypto/secagg/shamir.h"

namespace freshet::secagg {

using Sid = Digest;

using Possession = std::array<std::uint8_t, 64>;  // challenge || response (possession.h)

struct Advert {  // of one node for one sid
  CipherPublic cipher;
  MaskPublic mask;
  Digest commit;            // to the seed of the self mask
  Digest nonce;             // goes into the seed of the graph
  Possession possession{};  // of the cipher key's secret, by its owner, for this sid
  bool operator==(const Advert&) const = default;
};

struct Peer {
  std::uint32_t index;  // its place in the roster
  Advert advert;
};

// What every key of a round is bound to. `supplied` is the digest of what the coordinator supplied
// and this node really loaded: the node puts in its own, so that nodes that were given different
// models make masks that do not cancel.
struct Bound {
  Sid sid;
  Digest supplied;
  Digest roster;
};

// Two shares of one member for another: of the seed of its pair masks and of its self mask.
// box: nonce (24) || ciphertext (64) || tag (16) || check of either share (2 x 16). The checks are
// public; they tell later whether a wrong share was dealt wrong or revealed wrong.
inline constexpr std::size_t kBoxBytes = 24 + 64 + 16 + 32;
struct SealedShare {
  std::uint32_t to = 0;
  std::array<std::uint8_t, kBoxBytes> box{};
  bool operator==(const SealedShare&) const = default;
};

struct SharePair {
  Scalar pair_seed, self_seed;
};

struct RevealedShare {
  std::uint32_t of = 0;
  bool self_mask =
      false;  // a share of the self mask's seed (a survivor), else of the pair masks' (dropped)
  Scalar value{};
  bool operator==(const RevealedShare&) const = default;
};

struct Direction {
  std::uint32_t from, to;
  CipherPublic from_cipher, to_cipher;
};

// `agreed` is what the two cipher keys agree on.
SealedShare seal_shares(const Bound& bound, const Direction& direction, KeyView agreed,
                        std::span<const std::uint8_t, 64> shares, const FillSecret& fill);
// kBadInput when the box does not open, or holds what is no share or another than it says outside.
Result<void> open_shares(const Bound& bound, const Direction& direction, KeyView agreed,
                         const SealedShare& box, std::span<std::uint8_t, 64> shares);
// Whether `box` was sealed around this share, by the checks outside.
bool was_dealt(const Sid& sid, std::uint32_t from, const SealedShare& box,
               const RevealedShare& share);

// A complaint of direction.to about a box that direction.from signed: anyone can tell who lied.
enum class Verdict { kSenderLied, kComplainerLied };
Verdict judge(const Bound& bound, const Direction& direction, const SealedShare& box,
              const Evidence& evidence);

}  // namespace freshet::secagg
