#include "crypto/secagg/sealed_share.h"

#include <sodium.h>

#include "tests/crypto/secagg/cohort.h"

namespace freshet::secagg {
namespace {

struct Sealed {
  Sealed() {
    for (Scalar* scalar : {&sender, &receiver})
      crypto_core_ristretto255_scalar_random(scalar->data());
    for (std::size_t half : {0, 32}) crypto_core_ristretto255_scalar_random(shares.data() + half);
    direction = {4, 9, cipher_public(sender), cipher_public(receiver)};
    EXPECT_TRUE(agree_on_cipher(sender, direction.to_cipher, agreed));
    box = seal_shares(bound, direction, agreed, shares, random_bytes);
  }
  Result<void> open(const Bound& in, const Direction& way, const SealedShare& sealed) {
    return open_shares(in, way, agreed, sealed, opened);
  }
  RevealedShare revealed(bool self_mask) const {
    RevealedShare share{4, self_mask, {}};
    std::copy_n(shares.begin() + (self_mask ? 32 : 0), 32, share.value.begin());
    return share;
  }
  Evidence evidence() const {
    return prove_agreement(receiver, direction.from_cipher, random_bytes);
  }

  Bound bound = bound_for_test();
  Scalar sender, receiver, agreed;
  Direction direction;
  std::array<std::uint8_t, 64> shares, opened{};
  SealedShare box;
};

TEST(SealedShare, OpensWhereItWasMadeFor) {
  Sealed sealed;
  ASSERT_TRUE(sealed.open(sealed.bound, sealed.direction, sealed.box));
  EXPECT_EQ(sealed.opened, sealed.shares);
}

TEST(SealedShare, WithAnyByteChangedDoesNotOpen) {
  Sealed sealed;
  for (std::size_t i = 0; i < kBoxBytes; ++i) {
    SealedShare other = sealed.box;
    other.box[i] ^= 0x40;
    EXPECT_FALSE(sealed.open(sealed.bound, sealed.direction, other)) << "byte " << i;
  }
}

TEST(SealedShare, OpensInNoOtherRoundRosterOrDirection) {
  Sealed sealed;
  Bound other = sealed.bound;
  other.sid[5] ^= 1;
  EXPECT_FALSE(sealed.open(other, sealed.direction, sealed.box));
  other = sealed.bound;
  other.roster[5] ^= 1;
  EXPECT_FALSE(sealed.open(other, sealed.direction, sealed.box));
  const Direction& way = sealed.direction;
  EXPECT_FALSE(sealed.open(sealed.bound, {5, 9, way.from_cipher, way.to_cipher}, sealed.box));
  SealedShare back = sealed.box;
  back.to = 4;
  EXPECT_FALSE(sealed.open(sealed.bound, {9, 4, way.to_cipher, way.from_cipher}, back));
  EXPECT_FALSE(sealed.open(sealed.bound, {4, 8, way.from_cipher, way.to_cipher}, sealed.box));
}

TEST(SealedShare, HoldsScalarsAndNothingElse) {
  Sealed sealed;
  sealed.shares.fill(0xff);  // above the order: two numbers for one share
  sealed.box =
      seal_shares(sealed.bound, sealed.direction, sealed.agreed, sealed.shares, random_bytes);
  const auto opened = sealed.open(sealed.bound, sealed.direction, sealed.box);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().what, "a box that holds other shares than it says");
  EXPECT_EQ(sealed.opened, (std::array<std::uint8_t, 64>{}));
}

TEST(SealedShare, TellsFromOutsideWhichSharesItHolds) {
  const Sealed sealed;
  for (const bool self_mask : {false, true}) {
    RevealedShare share = sealed.revealed(self_mask);
    EXPECT_TRUE(was_dealt(sealed.bound.sid, 4, sealed.box, share));
    share.value[0] ^= 1;
    EXPECT_FALSE(was_dealt(sealed.bound.sid, 4, sealed.box, share));
    share = sealed.revealed(self_mask);
    share.self_mask = !self_mask;
    EXPECT_FALSE(was_dealt(sealed.bound.sid, 4, sealed.box, share));
    EXPECT_FALSE(was_dealt(Sid{}, 4, sealed.box, sealed.revealed(self_mask)));
    EXPECT_FALSE(was_dealt(sealed.bound.sid, 5, sealed.box, sealed.revealed(self_mask)));
  }
}

TEST(Complaint, AboutAGoodBoxNamesWhoComplains) {
  const Sealed sealed;
  EXPECT_EQ(judge(sealed.bound, sealed.direction, sealed.box, sealed.evidence()),
            Verdict::kComplainerLied);
}

TEST(Complaint, AboutABadBoxNamesItsSender) {
  Sealed sealed;
  sealed.box.box[40] ^= 1;
  EXPECT_EQ(judge(sealed.bound, sealed.direction, sealed.box, sealed.evidence()),
            Verdict::kSenderLied);
}

TEST(Complaint, AboutSharesThatAreNoneNamesTheirSender) {
  Sealed sealed;
  sealed.shares.fill(0xff);
  sealed.box =
      seal_shares(sealed.bound, sealed.direction, sealed.agreed, sealed.shares, random_bytes);
  EXPECT_EQ(judge(sealed.bound, sealed.direction, sealed.box, sealed.evidence()),
            Verdict::kSenderLied);
}

TEST(Complaint, WithAMadeUpSecretNamesWhoComplains) {
  Sealed sealed;
  Evidence evidence = sealed.evidence();
  evidence.shared = cipher_public(sealed.sender).bytes;  // a point, and not the agreed one
  EXPECT_EQ(judge(sealed.bound, sealed.direction, sealed.box, evidence), Verdict::kComplainerLied);
  Scalar other;
  crypto_core_ristretto255_scalar_random(other.data());
  evidence = prove_agreement(other, sealed.direction.from_cipher, random_bytes);
  EXPECT_EQ(judge(sealed.bound, sealed.direction, sealed.box, evidence), Verdict::kComplainerLied);
}

}  // namespace
}  // namespace freshet::secagg
