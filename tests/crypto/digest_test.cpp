#include "crypto/digest.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

TEST(Digest, IsBlake2b256) {
  EXPECT_EQ(to_hex(digest_of(as_bytes("abc"))),
            "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  EXPECT_EQ(to_hex(digest_of({})),
            "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

TEST(Digest, PutsTheLengthOfItsDomainAndTheDomainFirst) {
  EXPECT_EQ(to_hex(digest_of("freshet/plan/v1", as_bytes("abc"))),
            "9a2b087f1b755dbb5d9ddbb37670394bae1067bb8804d439dfedce6fa64b9fa3");
  EXPECT_NE(digest_of("ab", as_bytes("c")), digest_of("a", as_bytes("bc")));
  EXPECT_NE(digest_of("", as_bytes("abc")), digest_of(as_bytes("abc")));
}

TEST(Digest, OfPiecesIsTheDigestOfTheWhole) {
  Bytes bytes(100'000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7);
  for (std::size_t piece : {1u, 127u, 128u, 129u, 65'536u}) {
    Hasher hasher;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      hasher.update(ByteView(bytes).subspan(at, std::min(piece, bytes.size() - at)));
    EXPECT_EQ(hasher.finish(), digest_of(bytes)) << "pieces of " << piece;
  }
}

TEST(DigestDeathTest, FinishesOnce) {
  Hasher hasher;
  hasher.finish();
  EXPECT_DEATH(hasher.finish(), "bug at");
  EXPECT_DEATH(hasher.update({}), "bug at");
}

}  // namespace
}  // namespace freshet
