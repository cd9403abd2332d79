// That the library below is the arithmetic it should be: vectors of RFC 7693, 7748, 8032, 8439 and
// of the XChaCha draft.
#include <gtest/gtest.h>
#include <sodium.h>

#include "tests/crypto/hex.h"

namespace freshet {
namespace {

TEST(KnownAnswers, Blake2b512OfAbc) {
  Bytes out(64);
  crypto_generichash(out.data(), 64, as_bytes("abc").data(), 3, nullptr, 0);
  EXPECT_EQ(to_hex(out),
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
            "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

TEST(KnownAnswers, X25519) {
  Bytes k = hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"), out(32);
  Bytes u = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
  ASSERT_EQ(crypto_scalarmult(out.data(), k.data(), u.data()), 0);
  EXPECT_EQ(to_hex(out), "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
}

TEST(KnownAnswers, X25519AThousandTimes) {
  Bytes k(32), u(32), out(32);
  k[0] = u[0] = 9;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(crypto_scalarmult(out.data(), k.data(), u.data()), 0);
    u = std::exchange(k, out);
  }
  EXPECT_EQ(to_hex(k), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

TEST(KnownAnswers, X25519Agreement) {
  Bytes a = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"), pk(32), k(32);
  Bytes b_pk = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  crypto_scalarmult_base(pk.data(), a.data());
  EXPECT_EQ(to_hex(pk), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  ASSERT_EQ(crypto_scalarmult(k.data(), a.data(), b_pk.data()), 0);
  EXPECT_EQ(to_hex(k), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

TEST(KnownAnswers, LowOrderPointsAgreeOnNothing) {
  const Bytes scalar(32, 7);
  for (std::string_view point :
       {"0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"}) {
    Bytes out(32);
    EXPECT_EQ(crypto_scalarmult(out.data(), scalar.data(), hex(point).data()), -1) << point;
  }
}

TEST(KnownAnswers, Ed25519OfTheEmptyMessage) {
  Bytes seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"), pk(32),
        sk(64), out(64);
  crypto_sign_seed_keypair(pk.data(), sk.data(), seed.data());
  crypto_sign_detached(out.data(), nullptr, nullptr, 0, sk.data());
  EXPECT_EQ(to_hex(pk), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  EXPECT_EQ(to_hex(out),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
}

TEST(KnownAnswers, ChaCha20OfAZeroKey) {
  const Bytes key(32), nonce(12);
  Bytes out(32);
  crypto_stream_chacha20_ietf(out.data(), out.size(), nonce.data(), key.data());
  EXPECT_EQ(to_hex(out), "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7");
}

constexpr std::string_view kSunscreen =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    "sunscreen would be it.";

TEST(KnownAnswers, XChaCha20Poly1305) {
  Bytes key(32), nonce(24), out(kSunscreen.size() + 16);
  for (std::size_t i = 0; i < 32; ++i) key[i] = static_cast<std::uint8_t>(0x80 + i);
  for (std::size_t i = 0; i < 24; ++i) nonce[i] = static_cast<std::uint8_t>(0x40 + i);
  const Bytes ad = hex("50515253c0c1c2c3c4c5c6c7");
  crypto_aead_xchacha20poly1305_ietf_encrypt(out.data(), nullptr, as_bytes(kSunscreen).data(),
                                             kSunscreen.size(), ad.data(), ad.size(), nullptr,
                                             nonce.data(), key.data());
  EXPECT_EQ(to_hex(ByteView(out).last(16)), "c0875924c1c7987947deafd8780acf49");
}

}  // namespace
}  // namespace freshet
