#include "crypto/secagg/possession.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include "tests/crypto/secagg/cohort.h"

namespace freshet::secagg {
namespace {

using Key32 = std::array<std::uint8_t, 32>;

struct Claimed {
  RoundKeys keys = RoundKeys::make();
  Sid sid{1};
  SigningPublic owner{{2}};
  Advert advert = keys.claim(sid, owner);
  Result<void> check() const { return check_claim({sid, owner, advert}); }
};

TEST(Possession, OfOnesOwnKeyIsShown) {
  const Claimed claimed;
  const auto checked = claimed.check();
  EXPECT_TRUE(checked) << checked.error().what;
  EXPECT_EQ(claimed.keys.advert(), claimed.advert);
}

// With a secret and a nonce that stand still: any byte that moves is another protocol.
TEST(Possession, KnownAnswer) {
  Scalar secret{7};
  Advert advert;
  advert.cipher = cipher_public(secret);
  advert.mask.bytes.fill(0x11), advert.commit.fill(0x22), advert.nonce.fill(0x33);
  const Sid sid = bound_for_test().sid;
  const SigningPublic owner{{9}};
  advert.possession = prove_possession(
      secret, {sid, owner, advert}, [](std::span<std::uint8_t> out) { std::ranges::fill(out, 5); });
  EXPECT_TRUE(proves_possession({sid, owner, advert}));
  EXPECT_EQ(to_hex(advert.possession),
            "3a8793e4f23eefcf62156f3b3c9b2076bf4fb1d97f85fa49a806086bfaf8820d"
            "a652924c4e85e7b90b4089d85ad8c6ed609b791c8d71062887182f77d9895109");
}

TEST(Possession, IsForOneRoundOwnerAndAdvertAlone) {
  const auto refused = [](auto change) {
    Claimed claimed;
    change(claimed);
    return !proves_possession({claimed.sid, claimed.owner, claimed.advert});
  };
  EXPECT_TRUE(refused([](Claimed& c) { c.sid[3] ^= 1; }));
  EXPECT_TRUE(refused([](Claimed& c) { c.owner.bytes[3] ^= 1; }));
  EXPECT_TRUE(refused([](Claimed& c) { c.advert.mask.bytes[3] ^= 1; }));
  EXPECT_TRUE(refused([](Claimed& c) { c.advert.commit[3] ^= 1; }));
  EXPECT_TRUE(refused([](Claimed& c) { c.advert.nonce[3] ^= 1; }));
  EXPECT_TRUE(refused([](Claimed& c) { c.advert.cipher = Claimed().advert.cipher; }));
  for (std::size_t i = 0; i < sizeof(Possession); ++i)
    EXPECT_TRUE(refused([&](Claimed& c) { c.advert.possession[i] ^= 1; })) << "byte " << i;
}

TEST(Possession, KeysThatNobodyOwnsAreRefused) {
  const auto error = [](auto change) {
    Claimed claimed;
    change(claimed.advert);
    const auto checked = claimed.check();
    return checked ? std::string("none") : checked.error().what;
  };
  EXPECT_NE(error([](Advert& a) { a.cipher.bytes.fill(0); }).find("secret"), std::string::npos);
  EXPECT_NE(error([](Advert& a) { a.cipher.bytes.fill(0xff); }).find("secret"), std::string::npos);
  EXPECT_NE(error([](Advert& a) { a.mask.bytes.fill(0); }).find("low order"), std::string::npos);
  EXPECT_NE(error([](Advert& a) { a.possession.fill(0); }).find("secret"), std::string::npos);
}

// What the proof is there against. A member advertises the key of another plus one that it knows.
// It cannot seal under such a key, so its boxes are bad, and each complaint shows what the
// complaining neighbour agreed on with the *other*: with that the other's box for it opens.
struct Borrowed {
  static constexpr std::uint32_t kHonest = 2;
  Cohort cohort{3, 2, complete(3)};  // 0 complains; the boxes of 1 are wanted; 2 borrows
  Scalar known;
  Advert advert;

  Borrowed() {
    crypto_core_ristretto255_scalar_random(known.data());
    const CipherPublic mine = cipher_public(known);
    advert = RoundKeys::make().advert();
    EXPECT_EQ(crypto_core_ristretto255_add(advert.cipher.bytes.data(),
                                           cohort.roster[1].cipher.bytes.data(), mine.bytes.data()),
              0);
  }
};

TEST(Possession, WithoutItAComplaintOpensTheBoxesOfAnother) {
  Borrowed world;
  RoundKeys victim = RoundKeys::make();  // place 0, in a roster with the borrowed key
  const std::vector<Peer> peers = {{1, world.cohort.roster[1]}, {2, world.advert}};
  const Bound bound = world.cohort.bound;
  ASSERT_TRUE(victim.share(bound, 0, peers, 2));
  // 1 is honest and seals its shares for the complaining node.
  std::array<std::uint8_t, 64> dealt;
  random_bytes(dealt);
  dealt[31] = dealt[63] = 0;
  Key32 agreed;
  const CipherPublic to = victim.advert().cipher;
  ASSERT_TRUE(agree_on_cipher(world.cohort.scalars[1], to, agreed));
  const Direction way{1, 0, world.cohort.roster[1].cipher, to};
  const SealedShare wanted = seal_shares(bound, way, agreed, dealt, random_bytes);
  // 2 sends chance, and gets the complaint.
  SealedShare garbage;
  garbage.to = 0;
  ASSERT_FALSE(victim.take(2, garbage));
  const Evidence shown = victim.evidence_against(2).value();
  // shown - known * victim's key is what the victim agreed on with 1.
  Key32 own_part, stolen;
  ASSERT_TRUE(agree_on_cipher(world.known, to, own_part));
  ASSERT_EQ(crypto_core_ristretto255_sub(stolen.data(), shown.shared.data(), own_part.data()), 0);
  std::array<std::uint8_t, 64> opened;
  EXPECT_TRUE(open_shares(bound, way, stolen, wanted, opened));  // it bites
  EXPECT_EQ(opened, dealt);
}

TEST(Possession, OfABorrowedKeyIsNotShown) {
  const Borrowed world;
  const Sid sid = world.cohort.bound.sid;
  const SigningPublic owner{{4}};
  Advert advert = world.advert;
  // With the part that is known, or with the other's own proof.
  advert.possession = prove_possession(world.known, {sid, owner, advert}, random_bytes);
  EXPECT_FALSE(check_claim({sid, owner, advert}));
  Advert others = world.cohort.roster[1];
  others.possession =
      prove_possession(world.cohort.scalars[1], {sid, SigningPublic{{1}}, others}, random_bytes);
  EXPECT_TRUE(check_claim({sid, SigningPublic{{1}}, others}));
  EXPECT_FALSE(check_claim({sid, owner, others}));
  advert.possession = others.possession;
  EXPECT_FALSE(check_claim({sid, owner, advert}));
}

}  // namespace
}  // namespace freshet::secagg
