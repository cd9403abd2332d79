#include "crypto/secagg/recovery.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/check.h"
#include "crypto/secagg/derive.h"
#include "crypto/secagg/indices.h"
#include "crypto/secagg/mask_stream.h"
#include "crypto/secagg/recovery_subsets.h"
#include "crypto/sodium.h"

namespace freshet::secagg {
namespace {}  // namespace

struct Recovery::Wanted {
  std::uint32_t of;
  bool self_mask;
  ShareSet shares;
  bool lost = false;  // all shares are there, as dealt, and give nothing
};

Recovery::Recovery(Unmasking round) : round_(std::move(round)) {}
Recovery::Recovery(Recovery&&) noexcept = default;
Recovery& Recovery::operator=(Recovery&&) noexcept = default;
Recovery::~Recovery() = default;

Result<Recovery> Recovery::start(Unmasking round) {
  const std::size_t n = round.roster.size();
  if (!rises(round.sharers) || !rises(round.survivors) ||
      !std::ranges::includes(round.sharers, round.survivors) || round.survivors.empty() ||
      round.sharers.back() >= n)
    return fail(Code::kBadInput, "survivors, sharers and roster are no parts of one another");
  Recovery recovery(std::move(round));
  const Unmasking& r = recovery.round_;
  recovery.heard_.assign(n, false);
  recovery.around_.resize(n);
  recovery.place_.assign(n, 0);
  for (const std::uint32_t of : r.sharers) {
    std::vector<std::uint32_t> around = r.neighbours(of);
    std::erase_if(around, [&](std::uint32_t index) { return !holds(r.sharers, index); });
    const bool survived = holds(r.survivors, of);
    const std::size_t alive =
        (survived ? 1 : 0) + static_cast<std::size_t>(std::ranges::count_if(
                                 around, [&](auto index) { return holds(r.survivors, index); }));
    if (alive < r.threshold)
      return fail(Code::kBadInput, fmt::format("of the neighbourhood of member {}, {} survive: {} "
                                               "are needed to take its masks off",
                                               of, alive, r.threshold));
    recovery.place_[of] = static_cast<std::uint32_t>(recovery.wanted_.size());
    recovery.wanted_.push_back({of, survived, {}, false});
    recovery.around_[of] = std::move(around);
  }
  return recovery;
}

bool Recovery::heard(std::uint32_t from) const { return from < heard_.size() && heard_[from]; }

Result<void> Recovery::take(std::uint32_t from, std::span<const RevealedShare> shares) {
  if (!holds(round_.survivors, from))
    return fail(Code::kBadInput, fmt::format("member {}, which reveals, did not survive", from));
  std::vector<std::uint32_t> expected = around_[from];
  expected.insert(std::ranges::lower_bound(expected, from), from);
  std::vector<const RevealedShare*> by_member(shares.size());
  std::ranges::transform(shares, by_member.begin(), [](const auto& share) { return &share; });
  std::ranges::sort(by_member, {}, &RevealedShare::of);
  if (!std::ranges::equal(by_member, expected, {}, &RevealedShare::of))
    return fail(Code::kBadInput,
                fmt::format("member {} reveals shares of other members than it holds", from));
  for (const RevealedShare* share : by_member)
    if (share->self_mask != wanted_[place_[share->of]].self_mask || !is_scalar(share->value))
      return fail(Code::kBadInput, fmt::format("member {} reveals another kind of share of member "
                                               "{} than was agreed on",
                                               from, share->of));
  if (heard_[from]) return {};
  heard_[from] = true;
  if (rebuilt_ || holds(liars_, from)) return {};
  for (const RevealedShare* share : by_member)
    wanted_[place_[share->of]].shares.add(from + 1, share->value);
  return {};
}

bool Recovery::enough() const {
  return std::ranges::all_of(
      wanted_, [&](const Wanted& wanted) { return wanted.shares.size() >= round_.threshold; });
}

void Recovery::name(std::uint32_t liar) {
  const auto place = std::ranges::lower_bound(liars_, liar);
  if (place == liars_.end() || *place != liar) liars_.insert(place, liar);
}

// Whether `seed` is the one that its owner advertised.
bool Recovery::is_right(const Wanted& wanted, const Scalar& seed) const {
  const Advert& advert = round_.roster[wanted.of];
  if (wanted.self_mask) return commit_to(seed, advert.nonce) == advert.commit;
  Scalar secret;
  mask_secret(seed, secret);
  const bool right = mask_public(secret) == advert.mask;
  sodium_memzero(secret.data(), secret.size());
  return right;
}

// Takes out the shares that were not dealt as they were revealed, and names who revealed them.
void Recovery::sort_out(Wanted& wanted) {
  if (!round_.box) return;
  wanted.shares.erase_if([&](std::uint32_t x, const Scalar& value) {
    const std::uint32_t from = x - 1;
    if (from == wanted.of) return false;  // its own: judged with all it dealt
    const auto box = round_.box(wanted.of, from);
    if (!box || was_dealt(round_.bound.sid, wanted.of, *box, {wanted.of, wanted.self_mask, value}))
      return false;
    name(from);
    return true;
  });
}

// The seed out of some other shares than the first; those that do not lie on its polynomial are of
// a liar: with boxes, of who dealt them, else of who revealed them.
std::optional<Scalar> Recovery::work_around(Wanted& wanted) {
  sort_out(wanted);
  if (wanted.shares.size() < round_.threshold) return std::nullopt;
  const auto found = wanted.shares.search(
      round_.threshold, [&](const Scalar& seed) { return is_right(wanted, seed); });
  if (!found) {
    if (!round_.box) return std::nullopt;
    name(wanted.of);
    wanted.lost = std::ranges::all_of(round_.survivors, [&](auto index) { return heard_[index]; });
    return std::nullopt;
  }
  for (const std::uint32_t x : found->off) name(round_.box ? wanted.of : x - 1);
  return found->secret;
}

Result<void> Recovery::rebuild() {
  if (rebuilt_) return {};
  if (!enough()) return fail(Code::kUnavailable, "too few shares yet to take the masks off");
  Secret seeds(32 * wanted_.size());
  std::map<std::vector<std::uint32_t>, std::vector<Scalar>> factors;  // of those who revealed first
  std::size_t missing = 0;
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    Wanted& wanted = wanted_[i];
    std::optional<Scalar> seed = wanted.shares.first(round_.threshold, factors);
    if (!is_right(wanted, *seed)) seed = work_around(wanted);
    if (wanted.lost)
      return fail(Code::kRefused, fmt::format("member {} dealt shares that rebuild nothing: the "
                                              "round is lost",
                                              wanted.of));
    missing += !seed;
    if (!seed) continue;
    std::ranges::copy(*seed, seeds.writable().begin() + static_cast<std::ptrdiff_t>(32 * i));
    sodium_memzero(seed->data(), seed->size());
  }
  if (missing > 0)
    return fail(Code::kUnavailable,
                fmt::format("shares of {} members are wrong: more are needed", missing));
  return derive_keys(seeds);
}

Result<void> Recovery::derive_keys(const Secret& seeds) {
  std::size_t count = 0;
  for (const Wanted& wanted : wanted_) count += wanted.self_mask ? 1 : around_[wanted.of].size();
  keys_ = Secret(32 * count);
  Secret scratch(64);
  const Key secret(scratch.writable().data(), 32), agreed(scratch.writable().data() + 32, 32);
  auto next_key = [&] { return Key(keys_.writable().data() + 32 * adds_.size(), 32); };
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    const std::uint32_t of = wanted_[i].of;
    const KeyView seed(seeds.view().data() + 32 * i, 32);
    if (wanted_[i].self_mask) {
      self_mask_root(seed, secret);
      self_mask_key(secret, round_.bound, of, next_key());
      adds_.push_back(false);
      continue;
    }
    mask_secret(seed, secret);
    for (const std::uint32_t peer : around_[of]) {
      if (!holds(round_.survivors, peer)) continue;
      TRY(agree_on_mask(secret, round_.roster[peer].mask, agreed));
      pair_mask_key(agreed, round_.bound, {of, round_.roster[of].mask},
                    {peer, round_.roster[peer].mask}, next_key());
      adds_.push_back(peer < of);  // the higher of two members added their mask
    }
  }
  wanted_.clear();
  rebuilt_ = true;
  return {};
}

void Recovery::remove(std::span<std::uint32_t> words, int bits, std::size_t first_word) const {
  CHECK(rebuilt_, "masks taken off before they were rebuilt");
  std::vector<MaskKey> keys;
  keys.reserve(adds_.size());
  for (std::size_t i = 0; i < adds_.size(); ++i)
    keys.push_back({KeyView(keys_.view().data() + 32 * i, 32), adds_[i]});
  apply_masks(words, keys, first_word);
  keep_bits(words, bits);
}

}  // namespace freshet::secagg
