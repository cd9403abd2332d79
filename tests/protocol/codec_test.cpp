#include "protocol/codec.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/limits.h"
#include "crypto/digest.h"
#include "protocol/sealed_update.h"
#include "tests/protocol/samples.h"

namespace freshet {
namespace {

using samples::coordinator_identity;
using samples::encode_from_coordinator;
using samples::encode_from_node;
using samples::node_identity;

// What may be sent, and what has no way to the wire: a contribution in the clear is no message, and
// no field of a message takes its values or words.
template <class T>
concept Sendable = requires(const T& value, const Identity& signer) {
  encode(value, FrameHeader{}, signer);
};
template <class T>
concept FitsIntoAChunk = std::is_assignable_v<decltype(UploadChunk::data)&, T> ||
    std::is_assignable_v<decltype(Chunk::data)&, T> || std::is_constructible_v<Bytes, T>;
static_assert(Sendable<Hello> && Sendable<UploadChunk> && Sendable<Announce> && Sendable<Refused>);
static_assert(!Sendable<Update> && !Sendable<ClippedUpdate> && !Sendable<QuantizedUpdate> &&
              !Sendable<QuantizedSum> && !Sendable<MeanUpdate> && !Sendable<SealedUpdate>);
static_assert(FitsIntoAChunk<decltype(SealedUpdate::bytes)>);
static_assert(!FitsIntoAChunk<Update> && !FitsIntoAChunk<ClippedUpdate> &&
              !FitsIntoAChunk<QuantizedUpdate> && !FitsIntoAChunk<decltype(Update::values)> &&
              !FitsIntoAChunk<decltype(QuantizedUpdate::words)>);

TEST(Codec, DecodeOfEncodeIsTheMessage) {
  const SigningPublic node = node_identity().open.signing,
                      coordinator = coordinator_identity().open.signing;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const NodeMessage up = samples::random_node_message(rng);
    const auto up_again = decode_from_node(encode_from_node(up, seed), node);
    ASSERT_TRUE(up_again) << up_again.error().what;
    EXPECT_TRUE(up_again->message == up);
    EXPECT_EQ(up_again->header.sequence, seed);
    EXPECT_EQ(up_again->header.sender, node_identity().open.id());

    const CoordinatorMessage down = samples::random_coordinator_message(rng);
    const auto down_again =
        decode_from_coordinator(encode_from_coordinator(down, seed), coordinator);
    ASSERT_TRUE(down_again) << down_again.error().what;
    EXPECT_TRUE(down_again->message == down);
    EXPECT_EQ(down_again->header.sender, NodeId{});
  }
}

// The signature is over the data's digest: chunks of one blob are hashed once for a whole fleet.
TEST(Codec, AChunkIsSignedByItsDigestForWhoReadsThat) {
  const Identity& coordinator = coordinator_identity();
  const Chunk chunk{{7}, 524288, 262144, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
  const Digest digest = digest_of(chunk.data);
  const Bytes frame = encode(chunk, {NodeId{}, 5, kNewestForm}, coordinator, &digest);
  EXPECT_EQ(frame, encode(chunk, {NodeId{}, 5, kNewestForm}, coordinator));
  const auto again = decode_from_coordinator(frame, coordinator.open.signing);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_TRUE(again->message == CoordinatorMessage(chunk));
  EXPECT_EQ(again->header.form, 2);
  for (std::size_t at = 0; at < frame.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      Bytes flipped = frame;
      flipped[at] ^= static_cast<std::uint8_t>(1 << bit);
      EXPECT_FALSE(decode_from_coordinator(flipped, coordinator.open.signing)) << at << " " << bit;
    }
  for (std::size_t size = 0; size < frame.size(); ++size)
    EXPECT_FALSE(decode_from_coordinator(ByteView(frame).first(size), coordinator.open.signing));
  const Digest other{};
  EXPECT_FALSE(decode_from_coordinator(
      encode(chunk, {NodeId{}, 5, kNewestForm}, coordinator, &other), coordinator.open.signing));
}

TEST(Codec, WhatHasNoDataKeepsItsForm) {
  const Bytes frame = encode(Finished{{1}, {2}}, {NodeId{}, 5, kNewestForm}, coordinator_identity());
  EXPECT_EQ(frame, encode(Finished{{1}, {2}}, {NodeId{}, 5}, coordinator_identity()));
  EXPECT_EQ(form_for(0), 1);
  EXPECT_EQ(form_for(9), kNewestForm);
}

TEST(Codec, AFullChunkAndAFullReceiptFitIntoAFrame) {
  const UploadChunk chunk{{1}, {1}, {}, limits::kChunkBytes, 0, Bytes(limits::kChunkBytes)};
  EXPECT_LE(encode_from_node(chunk).size(), limits::kFrameBytesMax);
  Receipt receipt;
  for (std::uint64_t i = 0; i < limits::kCohortMax; ++i) receipt.survivors.push_back({i});
  EXPECT_LE(encode_from_coordinator(receipt).size(), limits::kFrameBytesMax);
}

TEST(Codec, TheLargestMessagesOfAMaskedRoundFitIntoAFrame) {
  ShareBundle bundle;
  Forward forward;
  Quorum quorum;
  for (std::uint32_t place = 0; place < limits::kMaskedCohortMax; ++place) {
    bundle.boxes.push_back({place, {}, {}});
    forward.sharers.push_back(place);
    quorum.signatures.push_back({place, {}});
  }
  forward.boxes = bundle.boxes;
  EXPECT_LE(encode_from_node(bundle).size(), limits::kFrameBytesMax);
  EXPECT_LE(encode_from_coordinator(forward).size(), limits::kFrameBytesMax);
  EXPECT_LE(encode_from_coordinator(quorum).size(), limits::kFrameBytesMax);
  RosterPage page;
  page.total = limits::kMaskedCohortMax;
  page.members.assign(limits::kRosterPageMembers, {Bytes(limits::kCertificateBytesMax), {}, {}});
  EXPECT_LE(encode_from_coordinator(page).size(), limits::kFrameBytesMax);
  MaskedInvite invite;
  quorum.signatures.resize(quorum_of(limits::kMaskedCohortMax, {1, 3}));
  invite.aborted.assign(limits::kRoundAbortsMax, {{}, quorum.signatures});
  EXPECT_LE(encode_from_coordinator(invite).size(), limits::kFrameBytesMax);
}

// Every frame of every kind, with the decoder that it is for.
template <class Check>
void for_every_frame(Check check) {
  const SigningPublic node = node_identity().open.signing,
                      coordinator = coordinator_identity().open.signing;
  for (const auto& [name, message] : samples::node_messages()) {
    SCOPED_TRACE(name);
    check(encode_from_node(message),
          [&](ByteView frame) { return decode_from_node(frame, node).has_value(); });
  }
  for (const auto& [name, message] : samples::coordinator_messages()) {
    SCOPED_TRACE(name);
    check(encode_from_coordinator(message),
          [&](ByteView frame) { return decode_from_coordinator(frame, coordinator).has_value(); });
  }
}

TEST(Codec, EveryTruncationIsRefused) {
  for_every_frame([](const Bytes& frame, const auto& decodes) {
    ASSERT_TRUE(decodes(frame));
    for (std::size_t size = 0; size < frame.size(); ++size)
      ASSERT_FALSE(decodes(ByteView(frame).first(size))) << size;
    Bytes longer = frame;
    longer.push_back(0);
    EXPECT_FALSE(decodes(longer));
  });
}

TEST(Codec, EveryFlippedBitIsRefused) {
  for_every_frame([](Bytes frame, const auto& decodes) {
    for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
      frame[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
      ASSERT_FALSE(decodes(frame)) << "bit " << bit;
      frame[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    }
  });
}

TEST(Codec, AnotherVersionIsRefusedWithBothNumbers) {
  Bytes frame = encode_from_node(Ready{{1}, {2}});
  frame[2] = 0x02;
  frame[3] = 0x01;
  const auto refused = decode_from_node(frame, node_identity().open.signing);
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_EQ(refused.error().what,
            "a frame of protocol version 258: this program speaks versions 1 to 2; upgrade the older of "
            "the two");
}

TEST(Codec, WhatIsNoFrameIsBadInput) {
  const SigningPublic node = node_identity().open.signing;
  Bytes frame = encode_from_node(Ready{{1}, {2}});
  frame[0] = 'X';
  EXPECT_EQ(decode_from_node(frame, node).error().what,
            "not a Freshet frame: it does not begin with \"FR\"");
  EXPECT_EQ(decode_from_node({}, node).error().what,
            "a frame of 0 bytes: it must have 84 to 270336");
  EXPECT_EQ(decode_from_node(Bytes(limits::kFrameBytesMax + 1), node).error().code,
            Code::kBadInput);
}

TEST(Codec, AnotherKeyOrDirectionIsRefused) {
  const Bytes up = encode_from_node(Ready{{1}, {2}}),
              down = encode_from_coordinator(Finished{{1}, {2}});
  const SigningPublic node = node_identity().open.signing,
                      coordinator = coordinator_identity().open.signing;
  EXPECT_EQ(decode_from_node(up, coordinator).error().what,
            "a frame whose signature is not its sender's");
  EXPECT_EQ(decode_from_node(up, coordinator).error().code, Code::kRefused);
  EXPECT_EQ(decode_from_coordinator(up, node).error().code, Code::kRefused);
  EXPECT_EQ(decode_from_node(down, coordinator).error().code, Code::kRefused);
}

TEST(Codec, TextsOfARefusalAreCutAndTidied) {
  const auto sent = [](std::string why) {
    const auto decoded =
        decode_from_coordinator(encode_from_coordinator(Refused{Code::kBadInput, std::move(why)}),
                                coordinator_identity().open.signing);
    return std::get<Refused>(decoded.value().message).why;
  };
  EXPECT_EQ(sent("one\ntwo\x7f"), "one two ");
  EXPECT_EQ(sent(std::string(2000, 'x')), std::string(1024, 'x'));
  EXPECT_EQ(sent(std::string(1023, 'x') + "\xc3\xa9"),
            std::string(1023, 'x'));  // no half of a character
}

TEST(CodecDeath, WhatNoMessageMayHoldIsABug) {
  EXPECT_DEATH(encode_from_node(UploadChunk{{1}, {1}, {}, 10, 8, {1, 2, 3}}),
               "a chunk of 3 bytes at 8 of a blob of 10");
  EXPECT_DEATH(encode_from_node(Hello{1, std::string(1025, 'x'), {}}), "a text of 1025 bytes");
  CampaignPlan plan = samples::plan();
  plan.training.lr = std::nanf("");
  EXPECT_DEATH(encode_from_coordinator(Announce{{1}, plan, {}, {}, 4, {}}), "lr is nan");
  EXPECT_DEATH(encode_from_coordinator(Receipt{{1}, {1}, true, {1}, {{2}, {1}}}), "out of order");
  EXPECT_DEATH(encode(NodeMessage(Ready{}), {{5}, 1}, node_identity()), "in another's name");
  EXPECT_DEATH(encode(CoordinatorMessage(Finished{}), {{5}, 1}, coordinator_identity()),
               "signs as a node");
}

}  // namespace
}  // namespace freshet
