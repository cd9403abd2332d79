#include "crypto/certificates/join_token.h"

#include "tests/crypto/certificates/authority_keys.h"

namespace freshet {
namespace {

JoinToken sample() {
  JoinToken token;
  token.role = Role::kNode;
  token.secret = Secret::random(32);
  token.root.fill(3);
  token.authority.bytes.fill(4);
  token.authority_at = "tcp://authority.example:7500";
  token.coordinator_at = "tcp://coordinator.example:7400";
  return token;
}

std::string text_of(const JoinToken& token) {
  return std::string(as_text(join_token_text(token).view()));
}

TEST(JoinToken, IsOneLineThatReadsBack) {
  const JoinToken token = sample();
  const std::string line = text_of(token);
  EXPECT_EQ(line.rfind("freshet-join-1:", 0), 0u);
  EXPECT_EQ(line.find_first_of(" \n"), std::string::npos);
  EXPECT_LT(line.size(), 300u);
  const auto read = join_token_from_text("\t" + line + " \n");
  ASSERT_TRUE(read) << what(read);
  EXPECT_EQ(read->role, token.role);
  EXPECT_TRUE(equal_in_constant_time(read->secret.view(), token.secret.view()));
  EXPECT_EQ(read->root, token.root);
  EXPECT_EQ(read->authority, token.authority);
  EXPECT_EQ(read->authority_at, token.authority_at);
  EXPECT_EQ(read->coordinator_at, token.coordinator_at);
}

TEST(JoinToken, SaysWhatAPersonDidToTheLine) {
  const std::string line = text_of(sample());
  expect_error(join_token_from_text("freshet-id-1:00"), Code::kBadInput, "begins with");
  expect_error(join_token_from_text(""), Code::kBadInput, "begins with");
  expect_error(join_token_from_text("freshet-join-1: "), Code::kBadInput, "nothing after");
  expect_error(join_token_from_text("freshet-join-1:AAAA"), Code::kBadInput, "cut off");
  expect_error(join_token_from_text(line + std::string(5000, 'A')), Code::kBadInput, "as long");
  std::string changed = line;
  changed[40] = changed[40] == 'A' ? 'B' : 'A';
  expect_error(join_token_from_text(changed), Code::kBadInput, "a character was lost or changed");
  changed[40] = '!';
  expect_error(join_token_from_text(changed), Code::kBadInput, "does not belong");
}

TEST(JoinToken, IsRefusedWithAnyCharacterChangedOrLost) {
  const std::string line = text_of(sample());
  for (std::size_t i = 0; i < line.size(); ++i) {
    std::string changed = line;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(join_token_from_text(changed)) << "character " << i;
    EXPECT_FALSE(join_token_from_text(std::string_view(line).substr(0, i))) << "cut at " << i;
    changed = line;
    changed.erase(i, 1);
    EXPECT_FALSE(join_token_from_text(changed)) << "without " << i;
  }
}

// BLAKE2b-256 with a key, made by another program.
TEST(JoinToken, IsKnownToTheAuthorityByAKeyedHash) {
  const Secret pepper = Secret::copy_of(Bytes(32, 7));
  EXPECT_EQ(to_hex(token_hash(pepper, Bytes(32, 9))),
            "bcba1983cec6f820983a423a477a1e1ffe5a017f8064061563ad3b9b4a584c72");
  EXPECT_NE(token_hash(Secret::copy_of(Bytes(32, 8)), Bytes(32, 9)),
            token_hash(pepper, Bytes(32, 9)));
}

}  // namespace
}  // namespace freshet
