#include "protocol/authority_messages.h"

#include <gtest/gtest.h>

namespace freshet::authority {
namespace {

const Identity& party() {
  static const Identity kParty = Identity::generate();
  return kParty;
}

std::vector<Request> requests() {
  return {make_join(Secret::random(32), Role::kCoordinator, party()),
          make_rotate(party(), Identity::generate()), AskTrust{{3, 4}}, AskDirectory{5}};
}

std::vector<Answer> answers() {
  return {Joined{Bytes(kCertificateBytes, 1), Bytes(kCertificateBytes, 2), Bytes(500, 3)},
          Joined{Bytes(kCertificateBytes, 1), {}, Bytes(500, 3)},
          Waiting{},
          TrustIs{Bytes(300, 4), Bytes(kCertificateBytes, 5)},
          TrustIs{},
          DirectoryPage{{Bytes(kCertificateBytes, 6), Bytes(kCertificateBytes, 7)}, true},
          DirectoryPage{},
          Denied{Code::kExpired, "too late"}};
}

TEST(AuthorityMessages, ReadBackAsTheyWereWritten) {
  std::uint64_t number = 1;
  for (const Request& request : requests()) {
    const auto read = decode_request(encode(request, ++number));
    ASSERT_TRUE(read) << request.index();
    EXPECT_EQ(read->number, number);
    EXPECT_EQ(read->message, request);
  }
  for (const Answer& answer : answers()) {
    const auto read = decode_answer(encode(answer, ++number));
    ASSERT_TRUE(read) << answer.index();
    EXPECT_EQ(read->number, number);
    EXPECT_EQ(read->message, answer);
  }
}

TEST(AuthorityMessages, AreRefusedWhenCutExtendedOrOfAnotherKind) {
  const auto check = [](Bytes frame, auto decode) {
    for (std::size_t size = 0; size < frame.size(); ++size)
      EXPECT_FALSE(decode(ByteView(frame).first(size))) << size;
    frame.push_back(0);
    EXPECT_FALSE(decode(frame));
    frame.pop_back();
    frame[4] = 5;
    EXPECT_FALSE(decode(frame)) << "no such kind";
    frame[0] = 'X';
    EXPECT_FALSE(decode(frame)) << "no such magic";
  };
  for (const Request& request : requests()) check(encode(request, 1), decode_request);
  for (const Answer& answer : answers()) check(encode(answer, 1), decode_answer);
}

TEST(AuthorityMessages, AreSignedByWhomTheyAreAbout) {
  const Identity other = Identity::generate();
  const Join join = make_join(Secret::random(32), Role::kNode, party());
  EXPECT_TRUE(is_signed(join));
  for (auto change : std::vector<void (*)(Join&)>{
           [](Join& j) { j.token[0] ^= 1; }, [](Join& j) { j.role = Role::kCoordinator; },
           [](Join& j) { j.keys.transport.bytes[0] ^= 1; },
           [](Join& j) { j.keys.sealing.bytes[0] ^= 1; }, [](Join& j) { j.signature[0] ^= 1; }}) {
    Join changed = join;
    change(changed);
    EXPECT_FALSE(is_signed(changed));
  }
  const Rotate rotate = make_rotate(party(), other);
  EXPECT_TRUE(is_signed(rotate));
  Rotate swapped = rotate;
  std::swap(swapped.by_old, swapped.by_new);
  EXPECT_FALSE(is_signed(swapped));
  Rotate stolen = make_rotate(other, party());
  stolen.by_old = rotate.by_old;
  EXPECT_FALSE(is_signed(stolen));
}

TEST(AuthorityMessages, AWhyHasNoControlCharactersAndABound) {
  const auto read = decode_answer(encode(Denied{Code::kRefused, "a\nb\x1b[31m"}, 1));
  EXPECT_EQ(std::get<Denied>(read->message).why, "a b [31m");
  const auto cut = decode_answer(encode(Denied{Code::kRefused, std::string(5000, 'x')}, 1));
  EXPECT_EQ(std::get<Denied>(cut->message).why.size(), 1024u);
}

}  // namespace
}  // namespace freshet::authority
