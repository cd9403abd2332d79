#include "crypto/seal.h"

#include <gtest/gtest.h>

#include "tests/crypto/hex.h"

namespace freshet {
namespace {

constexpr std::string_view kPlain = "the river rises in spring";

Identity known_receiver() {
  Identity identity;
  identity.sealing =
      Secret::copy_of(hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
  identity.open.sealing.bytes =
      digest_from_hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a").value();
  return identity;
}

Secret known_storage() {
  Secret key(32);
  for (std::uint8_t i = 0; i < 32; ++i) key.writable()[i] = i;
  return key;
}

// Both made by an independent implementation of the format in the header.
TEST(Seal, OpensBytesSealedElsewhere) {
  const Bytes to_party =
      hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f404142434445464748494a4b"
          "4c4d4e4f5051525354555657"
          "1b9be2b9ffa82fa60a5dec53d51d91ce2967216cb7ec80e91cffb386ede9c0eb02496365aca2d5441d");
  EXPECT_EQ(as_text(open_sealed(known_receiver(), to_party, as_bytes("round 7")).value()), kPlain);
  const Bytes at_rest =
      hex("404142434445464748494a4b4c4d4e4f5051525354555657"
          "c125f8f35c9133d6cfb09f0a858404e1169004dc5d2c5175e6ea2c7fb150fc93fc3a5ceb548c45cc52");
  EXPECT_EQ(as_text(open_at_rest(known_storage(), at_rest, as_bytes("contribution 3")).value()),
            kPlain);
}

TEST(Seal, OpensWhatItSealed) {
  const Identity receiver = Identity::generate();
  const Secret key = Secret::random(32);
  for (std::size_t size : {0u, 1u, 63u, 64u, 65u, 300'000u}) {
    Bytes plain(size);
    random_bytes(plain);
    const Bytes to_party = seal_to(receiver.open.sealing, plain, as_bytes("here"));
    EXPECT_EQ(to_party.size(), 32 + 24 + size + 16);
    EXPECT_EQ(open_sealed(receiver, to_party, as_bytes("here")).value(), plain);
    const Bytes at_rest = seal_at_rest(key, plain, {});
    EXPECT_EQ(at_rest.size(), 24 + size + 16);
    EXPECT_EQ(open_at_rest(key, at_rest, {}).value(), plain);
  }
}

TEST(Seal, NeverSealsTheSameBytesTwiceAlike) {
  const Identity receiver = Identity::generate();
  const Secret key = Secret::random(32);
  EXPECT_NE(seal_to(receiver.open.sealing, as_bytes(kPlain), {}),
            seal_to(receiver.open.sealing, as_bytes(kPlain), {}));
  EXPECT_NE(seal_at_rest(key, as_bytes(kPlain), {}), seal_at_rest(key, as_bytes(kPlain), {}));
}

TEST(Seal, OpensInNoOtherContextAndForNobodyElse) {
  const Identity receiver = Identity::generate(), other = Identity::generate();
  const Bytes to_party = seal_to(receiver.open.sealing, as_bytes(kPlain), as_bytes("round 7"));
  const auto elsewhere = open_sealed(receiver, to_party, as_bytes("round 8"));
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().code, Code::kBadInput);
  EXPECT_FALSE(open_sealed(other, to_party, as_bytes("round 7")));

  const Secret key = Secret::random(32);
  const Bytes at_rest = seal_at_rest(key, as_bytes(kPlain), as_bytes("a"));
  EXPECT_FALSE(open_at_rest(key, at_rest, as_bytes("b")));
  EXPECT_FALSE(open_at_rest(Secret::random(32), at_rest, as_bytes("a")));
}

TEST(Seal, RefusesEveryFlippedBitAndEveryShorterForm) {
  const Identity receiver = Identity::generate();
  const Secret key = Secret::random(32);
  const Bytes to_party = seal_to(receiver.open.sealing, as_bytes(kPlain), as_bytes("c"));
  const Bytes at_rest = seal_at_rest(key, as_bytes(kPlain), as_bytes("c"));
  const auto flipped = [](Bytes bytes, std::size_t bit) {
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    return bytes;
  };
  for (std::size_t bit = 0; bit < 8 * to_party.size(); ++bit)
    EXPECT_FALSE(open_sealed(receiver, flipped(to_party, bit), as_bytes("c"))) << "bit " << bit;
  for (std::size_t bit = 0; bit < 8 * at_rest.size(); ++bit)
    EXPECT_FALSE(open_at_rest(key, flipped(at_rest, bit), as_bytes("c"))) << "bit " << bit;
  for (std::size_t size = 0; size < to_party.size(); ++size)
    EXPECT_FALSE(open_sealed(receiver, ByteView(to_party).first(size), as_bytes("c")))
        << size << " bytes";
  for (std::size_t size = 0; size < at_rest.size(); ++size)
    EXPECT_FALSE(open_at_rest(key, ByteView(at_rest).first(size), as_bytes("c")))
        << size << " bytes";
}

TEST(Seal, RefusesALowOrderSender) {
  const Identity receiver = Identity::generate();
  Bytes sealed = seal_to(receiver.open.sealing, as_bytes(kPlain), {});
  std::fill_n(sealed.begin(), 32, 0);
  const auto opened = open_sealed(receiver, sealed, {});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().what.find("low-order"), std::string::npos);
}

// Whoever gave a low-order key must not make the sealing public: with a zero agreement anybody
// could open it.
TEST(Seal, ToALowOrderReceiverOpensForNobody) {
  const Bytes sealed = seal_to(SealingPublic{}, as_bytes(kPlain), {});
  Identity anybody;
  anybody.sealing = Secret::random(32);
  EXPECT_FALSE(open_sealed(anybody, sealed, {}));
  EXPECT_EQ(as_text(sealed).find(kPlain), std::string_view::npos);
}

}  // namespace
}  // namespace freshet
