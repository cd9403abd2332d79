#include "crypto/secagg/round_keys.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "base/limits.h"
#include "crypto/secagg/derive.h"
#include "crypto/secagg/indices.h"
#include "crypto/secagg/mask_stream.h"
#include "crypto/secagg/possession.h"
#include "crypto/sodium.h"

namespace freshet::secagg {
namespace {

// Where secrets lie in a round's block: the own ones, then the same for every neighbour.
enum Own : std::size_t { kCipherScalar, kPairSeed, kSelfSeed, kMaskSecret, kOwnKeys };
enum Theirs : std::size_t { kAgreedCipher, kAgreedMask, kPairShare, kSelfShare, kTheirKeys };
constexpr std::size_t kOwnShares = kOwnKeys, kOwnAll = kOwnKeys + 2;

struct Neighbour {
  Peer peer;
  enum { kNothing, kTaken, kBad } box_state = kNothing;
  SealedShare box;
};

void draw_scalar(const FillSecret& fill, Key out) {
  std::array<std::uint8_t, 64> wide;
  fill(wide);
  crypto_core_ristretto255_scalar_reduce(out.data(), wide.data());
  sodium_memzero(wide.data(), wide.size());
}

}  // namespace

Seams usual_seams() {
  return {random_bytes,
          [](KeyView secret, const MaskPublic&, const MaskPublic& theirs, Key shared) {
            return agree_on_mask(secret, theirs, shared);
          },
          [](KeyView scalar, const CipherPublic&, const CipherPublic& theirs, Key shared) {
            return agree_on_cipher(scalar, theirs, shared);
          }};
}

struct RoundKeys::State {
  Seams seams;
  Advert advert;
  Bound bound;
  std::uint32_t own = 0, threshold = 0;
  std::vector<Neighbour> neighbours;  // rising; empty until share()
  std::vector<std::uint32_t> masked_with;
  bool masked = false, revealed = false;
  Secret block;

  Key at(std::size_t slot) { return Key(block.writable().data() + 32 * slot, 32); }
  Key at(const Neighbour& neighbour, Theirs which) {
    const auto place = static_cast<std::size_t>(&neighbour - neighbours.data());
    return at(kOwnAll + place * kTheirKeys + which);
  }
  std::span<std::uint8_t, 64> shares_at(const Neighbour& neighbour) {
    return std::span<std::uint8_t, 64>(at(neighbour, kPairShare).data(), 64);
  }
  Neighbour* find(std::uint32_t index) {
    const auto place = std::ranges::lower_bound(neighbours, index, {},
                                                [](const Neighbour& n) { return n.peer.index; });
    return place != neighbours.end() && place->peer.index == index ? &*place : nullptr;
  }
  // Neighbours among rising `indices`, and this node.
  std::size_t neighbourhood(std::span<const std::uint32_t> indices) const {
    return 1 + static_cast<std::size_t>(std::ranges::count_if(
                   neighbours, [&](const Neighbour& n) { return holds(indices, n.peer.index); }));
  }
  Direction towards(const Neighbour& n) const {
    return {own, n.peer.index, advert.cipher, n.peer.advert.cipher};
  }
  Direction from(const Neighbour& n) const {
    return {n.peer.index, own, n.peer.advert.cipher, advert.cipher};
  }

  Result<void> place_neighbours(std::span<const Peer> peers);
  Result<void> agree_with_all();
  Result<void> admits(std::span<const std::uint32_t> sharers);
};

RoundKeys::RoundKeys(std::unique_ptr<State> state) : state_(std::move(state)) {}
RoundKeys::RoundKeys(RoundKeys&&) noexcept = default;
RoundKeys& RoundKeys::operator=(RoundKeys&&) noexcept = default;
RoundKeys::~RoundKeys() = default;

const Advert& RoundKeys::advert() const { return state_->advert; }
const Advert& RoundKeys::claim(const Sid& sid, const SigningPublic& owner) {
  State& s = *state_;
  CHECK(!s.revealed, "a claim to keys that are gone");
  s.advert.possession = prove_possession(s.at(kCipherScalar), {sid, owner, s.advert}, s.seams.fill);
  return s.advert;
}
bool RoundKeys::has_masked() const { return state_->masked; }
bool RoundKeys::has_revealed() const { return state_->revealed; }

RoundKeys RoundKeys::make() { return make_with(usual_seams()); }

RoundKeys RoundKeys::make_with(Seams seams) {
  auto state = std::make_unique<State>();
  state->seams = std::move(seams);
  state->block = Secret(32 * kOwnAll);
  for (const Own scalar : {kCipherScalar, kPairSeed, kSelfSeed})
    draw_scalar(state->seams.fill, state->at(scalar));
  mask_secret(state->at(kPairSeed), state->at(kMaskSecret));
  state->seams.fill(state->advert.nonce);
  state->advert.cipher = cipher_public(state->at(kCipherScalar));
  state->advert.mask = mask_public(state->at(kMaskSecret));
  state->advert.commit = commit_to(state->at(kSelfSeed), state->advert.nonce);
  return RoundKeys(std::move(state));
}

Result<void> RoundKeys::State::place_neighbours(std::span<const Peer> peers) {
  std::vector<Neighbour> placed;
  placed.reserve(peers.size());
  for (const Peer& peer : peers) placed.push_back({peer, Neighbour::kNothing, {}});
  std::ranges::sort(placed, {}, [](const Neighbour& n) { return n.peer.index; });
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const std::uint32_t index = placed[i].peer.index;
    if (index == own || (i > 0 && placed[i - 1].peer.index == index))
      return fail(Code::kBadInput, fmt::format("member {} comes twice", index));
    if (index >= limits::kCohortMax)
      return fail(Code::kBadInput,
                  fmt::format("member {} of at most {}", index, limits::kCohortMax));
  }
  Secret wider(32 * (kOwnAll + placed.size() * kTheirKeys));
  std::ranges::copy(block.view(), wider.writable().begin());
  block = std::move(wider);
  neighbours = std::move(placed);
  return {};
}

Result<void> RoundKeys::State::agree_with_all() {
  for (const Neighbour& n : neighbours) {
    auto agreed = seams.agree_on_cipher(at(kCipherScalar), advert.cipher, n.peer.advert.cipher,
                                        at(n, kAgreedCipher));
    if (agreed)
      agreed =
          seams.agree_on_mask(at(kMaskSecret), advert.mask, n.peer.advert.mask, at(n, kAgreedMask));
    if (!agreed) return fail_in(fmt::format("member {}", n.peer.index), std::move(agreed.error()));
  }
  return {};
}

Result<std::vector<SealedShare>> RoundKeys::share(const Bound& bound, std::uint32_t own,
                                                  std::span<const Peer> neighbours,
                                                  std::uint32_t threshold) {
  State& s = *state_;
  CHECK(s.neighbours.empty() && !s.revealed, "shares of one sid made twice");
  if (threshold < 2 || threshold > neighbours.size() + 1)
    return fail(Code::kBadInput, fmt::format("{} of {} shares to rebuild a secret", threshold,
                                             neighbours.size() + 1));
  s.bound = bound, s.own = own, s.threshold = threshold;
  TRY(s.place_neighbours(neighbours));
  TRY(s.agree_with_all());

  const std::size_t bytes = 32 * std::size_t{threshold};
  Secret polynomials(2 * bytes + 64);
  const std::span<std::uint8_t> all = polynomials.writable();
  for (std::size_t i = 0; i < 2 * std::size_t{threshold}; ++i)
    draw_scalar(s.seams.fill, Key(all.data() + 32 * i, 32));
  const auto pair = all.first(bytes), self = all.subspan(bytes, bytes);
  std::ranges::copy(s.at(kPairSeed), pair.begin());
  std::ranges::copy(s.at(kSelfSeed), self.begin());
  auto evaluate_both = [&](std::uint32_t index, std::uint8_t* out) {
    evaluate(pair, index + 1, Key(out, 32));
    evaluate(self, index + 1, Key(out + 32, 32));
  };
  evaluate_both(own, s.at(kOwnShares).data());

  std::vector<SealedShare> boxes;
  boxes.reserve(neighbours.size());
  const std::span<std::uint8_t, 64> shares(all.last(64).data(), 64);
  for (const Peer& peer : neighbours) {
    const Neighbour& n = *s.find(peer.index);
    evaluate_both(peer.index, shares.data());
    boxes.push_back(
        seal_shares(s.bound, s.towards(n), s.at(n, kAgreedCipher), shares, s.seams.fill));
  }
  return boxes;
}

Result<void> RoundKeys::take(std::uint32_t from, const SealedShare& box) {
  State& s = *state_;
  Neighbour* n = s.find(from);
  if (!n || s.revealed)
    return fail(Code::kRefused, fmt::format("a box of member {}, which shares nothing with this "
                                            "node",
                                            from));
  if (box.to != s.own)
    return fail(Code::kRefused,
                fmt::format("a box of member {} for member {}, not for this node", from, box.to));
  if (n->box_state != Neighbour::kNothing) {
    if (n->box == box && n->box_state == Neighbour::kTaken) return {};
    return fail(Code::kRefused, fmt::format("another box of member {}", from));
  }
  n->box = box;
  auto opened = open_shares(s.bound, s.from(*n), s.at(*n, kAgreedCipher), box, s.shares_at(*n));
  n->box_state = opened ? Neighbour::kTaken : Neighbour::kBad;
  if (!opened) return fail_in(fmt::format("member {}", from), std::move(opened.error()));
  return {};
}

Result<Evidence> RoundKeys::evidence_against(std::uint32_t from) const {
  State& s = *state_;
  const Neighbour* n = s.find(from);
  if (!n || n->box_state != Neighbour::kBad || s.revealed)
    return fail(Code::kRefused, fmt::format("member {} sent no box to complain about", from));
  return prove_agreement(s.at(kCipherScalar), n->peer.advert.cipher, s.seams.fill);
}

// Whether this node may put its vector among these: the second lock, behind the exchange machine's.
Result<void> RoundKeys::State::admits(std::span<const std::uint32_t> sharers) {
  if (revealed || masked)
    return fail(Code::kRefused, "a second masked vector from the keys of one sid");
  if (neighbours.empty() || !rises(sharers) || !holds(sharers, own))
    return fail(Code::kRefused, "a list of sharers that is in disorder or without this node");
  if (neighbourhood(sharers) < threshold)
    return fail(Code::kRefused, fmt::format("{} members of this neighbourhood share: {} needed",
                                            neighbourhood(sharers), threshold));
  for (const Neighbour& n : neighbours)
    if (holds(sharers, n.peer.index) && n.box_state != Neighbour::kTaken)
      return fail(Code::kRefused, fmt::format("no shares of member {} have come", n.peer.index));
  return {};
}

Result<void> RoundKeys::mask(std::span<std::uint32_t> words, int bits,
                             std::span<const std::uint32_t> sharers) {
  State& s = *state_;
  TRY(s.admits(sharers));
  s.masked = true;
  s.masked_with.assign(sharers.begin(), sharers.end());

  Secret streams(32 * (s.neighbours.size() + 2));
  auto stream_at = [&](std::size_t i) { return Key(streams.writable().data() + 32 * i, 32); };
  const Key root = stream_at(s.neighbours.size() + 1);
  self_mask_root(s.at(kSelfSeed), root);
  std::vector<MaskKey> keys;
  self_mask_key(root, s.bound, s.own, stream_at(0));
  keys.push_back({stream_at(0), true});
  for (const Neighbour& n : s.neighbours) {
    if (!holds(sharers, n.peer.index)) continue;
    const Key key = stream_at(keys.size());
    pair_mask_key(s.at(n, kAgreedMask), s.bound, {s.own, s.advert.mask},
                  {n.peer.index, n.peer.advert.mask}, key);
    keys.push_back({key, s.own > n.peer.index});
  }
  apply_masks(words, keys);
  keep_bits(words, bits);
  return {};
}

Result<std::vector<RevealedShare>> RoundKeys::reveal(std::span<const std::uint32_t> survivors,
                                                     std::span<const std::uint32_t> sharers) {
  State& s = *state_;
  if (s.revealed) return fail(Code::kRefused, "a second unmasking with the keys of one sid");
  if (!s.masked || !std::ranges::equal(sharers, s.masked_with))
    return fail(Code::kRefused, "other sharers than this node masked its vector with");
  if (!rises(survivors) || !std::ranges::includes(sharers, survivors) || !holds(survivors, s.own))
    return fail(Code::kRefused, "survivors who are no part of the sharers, or without this node");
  if (s.neighbourhood(survivors) < s.threshold)
    return fail(Code::kRefused, fmt::format("{} members of this neighbourhood survive: {} needed",
                                            s.neighbourhood(survivors), s.threshold));
  s.revealed = true;
  std::vector<RevealedShare> revealed;
  auto append = [&](std::uint32_t of, bool self_mask, KeyView share) {
    revealed.push_back({of, self_mask, {}});
    std::ranges::copy(share, revealed.back().value.begin());
  };
  for (const Neighbour& n : s.neighbours) {
    const std::uint32_t of = n.peer.index;
    const bool survives = holds(survivors, of);
    if (holds(sharers, of)) append(of, survives, s.at(n, survives ? kSelfShare : kPairShare));
  }
  append(s.own, true, s.at(kOwnShares + 1));
  s.block = Secret();
  return revealed;
}

}  // namespace freshet::secagg
