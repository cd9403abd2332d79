#include "crypto/certificates/certificate.h"

#include <sodium.h>

#include "crypto/digest.h"
#include "tests/crypto/certificates/authority_keys.h"

namespace freshet {
namespace {

Identity from_seed(std::uint8_t byte) {
  Identity identity;
  const Bytes seed(32, byte);
  identity.signing = Secret(64);
  crypto_sign_seed_keypair(identity.open.signing.bytes.data(), identity.signing.writable().data(),
                           seed.data());
  identity.open.transport.bytes.fill(static_cast<std::uint8_t>(byte + 1));
  identity.open.sealing.bytes.fill(static_cast<std::uint8_t>(byte + 2));
  return identity;
}

Certificate known() {
  const Identity node = from_seed(10);
  return {.role = Role::kNode,
          .serial = 0x0102030405060708,
          .device = node.open.id(),
          .keys = node.open,
          .not_before_s = 1'700'000'000,
          .not_after_s = 1'800'000'000,
          .enrolled_s = 1'650'000'000,
          .epoch = 3,
          .capabilities = kMayContribute,
          .issuer = from_seed(20).open.signing};
}

TEST(Certificate, ReadsBackAsItWasIssued) {
  const Certificate certificate = known();
  const Bytes bytes = issue(certificate, from_seed(20));
  EXPECT_EQ(bytes.size(), kCertificateBytes);
  EXPECT_EQ(read_certificate(bytes).value(), certificate);
}

// Made by another program, from the description in the header.
TEST(Certificate, HasItsKnownBytes) {
  const Bytes bytes = issue(known(), from_seed(20));
  EXPECT_EQ(to_hex(ByteView(bytes).first(21)), "46524331020807060504030201bb28f710bccb6d4e")
      << to_hex(bytes);
  EXPECT_EQ(to_hex(digest_of(bytes)),
            "07c2117249268ae05ddf2ac86e4dd62f3ce2bd364114e672e85655027ad5042d");
}

TEST(Certificate, IsRefusedWithAnyOneBitOfAByteFlipped) {
  const Bytes whole = issue(known(), from_seed(20));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Bytes changed = whole;
    changed[i] = static_cast<std::uint8_t>(changed[i] ^ 1 << i % 8);
    EXPECT_FALSE(read_certificate(changed)) << "byte " << i;
  }
  EXPECT_FALSE(read_certificate(ByteView(whole).first(whole.size() - 1)));
  EXPECT_FALSE(read_certificate({}));
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_FALSE(read_certificate(longer));
}

TEST(Certificate, OfAnImpossibleRoleEpochOrDateIsRefusedThoughSigned) {
  const Identity issuer = from_seed(20);
  const auto refused = [&issuer](auto change) {
    Certificate certificate = known();
    change(certificate);
    return read_certificate(issue(certificate, issuer)).has_value() == false;
  };
  EXPECT_TRUE(refused([](Certificate& c) { c.role = static_cast<Role>(4); }));
  EXPECT_TRUE(refused([](Certificate& c) { c.epoch = 0; }));
  EXPECT_TRUE(refused([](Certificate& c) { c.not_after_s = c.not_before_s - 1; }));
  EXPECT_FALSE(refused([](Certificate& c) { c.not_after_s = c.not_before_s; }));
}

TEST(Certificate, TravelsAsOneLine) {
  const Bytes bytes = issue(known(), from_seed(20));
  const std::string line = certificate_text(bytes);
  EXPECT_EQ(line.rfind("freshet-cert-1:", 0), 0u);
  EXPECT_EQ(line.find_first_of(" \n"), std::string::npos);
  EXPECT_EQ(certificate_from_text("  " + line + "\n").value(), bytes);
  for (std::size_t i = 0; i < line.size(); ++i) {
    std::string changed = line;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(certificate_from_text(changed)) << "character " << i;
    EXPECT_FALSE(certificate_from_text(std::string_view(line).substr(0, i))) << "cut at " << i;
  }
  EXPECT_FALSE(certificate_from_text(line + "A"));
  EXPECT_FALSE(certificate_from_text("freshet-id-1:" + line));
}

}  // namespace
}  // namespace freshet
