#include "crypto/keys.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include "tests/crypto/hex.h"

namespace freshet {
namespace {

template <class Key>
Key key_of(std::string_view text) {
  return Key{digest_from_hex(text).value()};
}

constexpr std::string_view kSigningPublic =
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
constexpr std::string_view kText =
    "freshet-id-1:"
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    "0fede096";

PublicIdentity known_identity() {
  return {
      key_of<SigningPublic>(kSigningPublic),
      key_of<TransportPublic>("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"),
      key_of<SealingPublic>("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")};
}

TEST(Keys, SignatureOverDomainAndBytesIsKnown) {
  Identity identity;
  identity.signing =
      Secret::copy_of(hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60" +
                          std::string(kSigningPublic)));
  const Signature signature = sign(identity, "freshet/frame/v1", as_bytes("abc"));
  EXPECT_EQ(to_hex(signature),
            "dd40f2a2bf115560db3b88b61e81d02b73d2c3649526c8a26acfee7fd676c1df"
            "5f051fd4019486c0b81b68439ee8b4c02645c67d7acfb26b3befb7e5db888605");
}

TEST(Keys, VerifyRefusesAnyFlippedBit) {
  const Identity identity = Identity::generate();
  const Bytes message = {1, 2, 3, 4, 5};
  const Signature signature = sign(identity, "freshet/frame/v1", message);
  ASSERT_TRUE(verify(identity.open.signing, "freshet/frame/v1", message, signature));
  for (std::size_t bit = 0; bit < 8 * signature.size(); ++bit) {
    Signature flipped = signature;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_FALSE(verify(identity.open.signing, "freshet/frame/v1", message, flipped))
        << "bit " << bit;
  }
  for (std::size_t bit = 0; bit < 8 * message.size(); ++bit) {
    Bytes flipped = message;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_FALSE(verify(identity.open.signing, "freshet/frame/v1", flipped, signature))
        << "bit " << bit;
  }
}

TEST(Keys, VerifyRefusesAnotherDomainKeyOrSplit) {
  const Identity identity = Identity::generate(), other = Identity::generate();
  const Signature signature = sign(identity, "freshet/ab", as_bytes("c"));
  EXPECT_FALSE(verify(identity.open.signing, "freshet/x", as_bytes("c"), signature));
  EXPECT_FALSE(verify(identity.open.signing, "freshet/a", as_bytes("bc"), signature));
  EXPECT_FALSE(verify(other.open.signing, "freshet/ab", as_bytes("c"), signature));
  EXPECT_FALSE(verify(SigningPublic{}, "freshet/ab", as_bytes("c"), Signature{}));
}

TEST(Keys, NodeIdIsTheHeadOfTheDigestOfTheSigningKey) {
  EXPECT_EQ(known_identity().id().value, 0xe10b684930ac4978u);
}

TEST(Keys, GeneratedKeysAreDistinctAndBelongTogether) {
  const Identity a = Identity::generate(), b = Identity::generate();
  EXPECT_NE(a.open.signing, b.open.signing);
  EXPECT_NE(a.open.transport.bytes, a.open.sealing.bytes);
  EXPECT_NE(a.open.id(), b.open.id());
  std::array<std::uint8_t, 32> derived;
  crypto_scalarmult_base(derived.data(), a.transport.view().data());
  EXPECT_EQ(derived, a.open.transport.bytes);
  crypto_scalarmult_base(derived.data(), a.sealing.view().data());
  EXPECT_EQ(derived, a.open.sealing.bytes);
}

// The key pairs printed in zmq_curve(7): CURVE keys are X25519 keys.
TEST(Keys, CurvePairsOfTheManualAreX25519Pairs) {
  const std::pair<std::string_view, std::string_view> pairs[] = {
      {"7BB864B489AFA3671FBE69101F94B38972F24816DFB01B51656B3FEC8DFD0888",
       "bb88471d65e2659b30c55a5321cebb5aab2b70a398645c26dca2b2fcb43fc518"},
      {"8E0BDD697628B91D8F245587EE95C5B04D48963F79259877B49CD9063AEAD3B7",
       "54fcba24e93249969316fb617c872bb0c1d1ff14800427c594cbfacf1bc2d652"}};
  for (auto [secret, expected] : pairs) {
    Bytes derived(32);
    crypto_scalarmult_base(derived.data(), hex(secret).data());
    EXPECT_EQ(to_hex(derived), expected);
  }
}

TEST(IdentityText, IsKnownAndReadsBack) {
  EXPECT_EQ(to_text(known_identity()), kText);
  EXPECT_EQ(public_identity_from_text(kText).value(), known_identity());
  EXPECT_EQ(public_identity_from_text("  " + std::string(kText) + "\r\n").value(),
            known_identity());
}

TEST(IdentityText, RefusesEveryChangedDigit) {
  for (std::size_t i = 0; i < kText.size(); ++i) {
    std::string text(kText);
    text[i] = text[i] == '1' ? '2' : '1';
    EXPECT_FALSE(public_identity_from_text(text)) << "character " << i;
  }
}

TEST(IdentityText, SaysWhatIsWrong) {
  const std::string whole(kText);
  for (const auto& [text, said] : std::initializer_list<std::pair<std::string, std::string>>{
           {"", "begins with"},
           {"   ", "begins with"},
           {"ssh-ed25519 AAAA", "begins with"},
           {whole.substr(0, whole.size() - 1), "has 199"},
           {whole + "00", "has 202"},
           {whole.substr(0, 40) + "g" + whole.substr(41), "hexadecimal"}}) {
    const auto refused = public_identity_from_text(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, Code::kBadInput);
    EXPECT_NE(refused.error().what.find(said), std::string::npos) << refused.error().what;
  }
}

TEST(IdentityText, RefusesKeysThatNobodyCanOwn) {
  PublicIdentity identity = known_identity();
  identity.sealing = {};
  EXPECT_FALSE(public_identity_from_text(to_text(identity)));
  identity = known_identity();
  identity.transport.bytes = {1};
  EXPECT_FALSE(public_identity_from_text(to_text(identity)));
}

}  // namespace
}  // namespace freshet
