// What the members of a masked round send each other: any bytes are a box that does not open or one
// that its sender made, a proof that proves nothing, or shares that a recovery works around. A sum
// that opens is always the right one.

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "crypto/secagg/mask_stream.h"
#include "crypto/secagg/recovery.h"
#include "crypto/secagg/round_keys.h"

namespace {

using namespace freshet;
using namespace freshet::secagg;
using Indices = std::vector<std::uint32_t>;

constexpr std::uint32_t kMembers = 5, kThreshold = 4;

Indices all_but(std::uint32_t gone) {
  Indices indices(kMembers);
  std::iota(indices.begin(), indices.end(), 0);
  std::erase(indices, gone);
  return indices;
}

// A round in which the last member dropped out.
struct Round {
  Bound bound;
  std::vector<Advert> roster;
  std::vector<std::vector<SealedShare>> boxes;
  std::vector<std::uint32_t> sum = std::vector<std::uint32_t>(20);
  std::vector<std::vector<RevealedShare>> revealed;
  Evidence evidence{};

  Round() {
    std::vector<RoundKeys> keys;
    for (std::uint32_t i = 0; i < kMembers; ++i) {
      keys.push_back(RoundKeys::make());
      roster.push_back(keys.back().advert());
    }
    for (std::uint32_t i = 0; i < kMembers; ++i) {
      std::vector<Peer> peers;
      for (const std::uint32_t other : all_but(i)) peers.push_back({other, roster[other]});
      boxes.push_back(keys[i].share(bound, i, peers, kThreshold).value());
    }
    for (std::uint32_t i = 0; i < kMembers; ++i)
      for (const SealedShare& box : boxes[i]) CHECK(keys[box.to].take(i, box));
    for (std::uint32_t i = 0; i + 1 < kMembers; ++i) {
      std::vector<std::uint32_t> words(sum.size(), i);
      CHECK(keys[i].mask(words, 16, all_but(kMembers)));
      for (std::size_t w = 0; w < sum.size(); ++w) sum[w] += words[w];
      revealed.push_back(keys[i].reveal(all_but(kMembers - 1), all_but(kMembers)).value());
    }
    keep_bits(sum, 16);
  }
  Unmasking unmasking() const {
    Unmasking round{bound,   roster, all_but(kMembers), all_but(kMembers - 1), kThreshold,
                    all_but, {}};
    round.box = [this](std::uint32_t from, std::uint32_t to) -> std::optional<SealedShare> {
      return *std::ranges::find(boxes[from], to, &SealedShare::to);
    };
    return round;
  }
};

void open_any_box(const Round& round, ByteView input) {
  Scalar agreed{};
  agreed[0] = 1;
  const Direction direction{0, 1, round.roster[0].cipher, round.roster[1].cipher};
  SealedShare box = round.boxes[0][0];
  std::copy_n(input.begin(), std::min(input.size(), box.box.size()), box.box.begin());
  std::array<std::uint8_t, 64> shares;
  CHECK(!open_shares(round.bound, direction, agreed, box, shares));
  Evidence evidence{};
  std::copy_n(input.begin(), std::min<std::size_t>(input.size(), 32), evidence.shared.begin());
  if (input.size() > 32)
    std::copy_n(input.begin() + 32, std::min<std::size_t>(input.size() - 32, 64),
                evidence.proof.begin());
  CHECK(judge(round.bound, direction, box, evidence) == Verdict::kComplainerLied);
}

// The input says which revealed shares are changed, and how.
void recover(const Round& round, ByteView input) {
  auto revealed = round.revealed;
  bool changed = false;
  for (std::size_t i = 0; i + 2 < input.size(); i += 3) {
    auto& shares = revealed[input[i] % revealed.size()];
    RevealedShare& share = shares[input[i] / 16 % shares.size()];
    changed |= input[i + 2] != 0;
    if (input[i + 1] % 40 < 32)
      share.value[input[i + 1] % 40] ^= input[i + 2];
    else
      share.of ^= input[i + 2];
  }
  Recovery recovery = Recovery::start(round.unmasking()).value();
  for (std::uint32_t member = 0; member < revealed.size(); ++member)
    (void)recovery.take(member, revealed[member]).has_value();
  if (!recovery.rebuild()) {
    CHECK(changed, "an honest round does not open");
    return;
  }
  std::vector<std::uint32_t> sum = round.sum;
  recovery.remove(sum, 16);
  for (const std::uint32_t word : sum) CHECK(word == 0 + 1 + 2 + 3, "{}", word);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Round round;
  open_any_box(round, ByteView(data, size));
  recover(round, ByteView(data, size));
  return 0;
}
