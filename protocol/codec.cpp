#include "protocol/codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fmt/core.h>

#include "protocol/wire.h"

namespace freshet {
namespace {

constexpr std::array<std::uint8_t, 2> kMagic = {'F', 'R'};
constexpr std::uint16_t kVersion = 1;
constexpr std::string_view kDomain = "freshet/frame/v1";
constexpr std::size_t kSignatureAt = 4, kSignedAt = kSignatureAt + sizeof(Signature);
constexpr std::size_t kBodyAt = kSignedAt + 16;
static_assert(limits::kFrameBytesMax % 8 == 0);

void put_u64(std::uint8_t* to, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) to[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

std::uint64_t get_u64(const std::uint8_t* from) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value |= std::uint64_t{from[i]} << (8 * i);
  return value;
}

NodeId id_of(const SigningPublic& key) {
  return PublicIdentity{.signing = key, .transport = {}, .sealing = {}}.id();
}

template <class Root, class Message>
Bytes encode_as(const Message& message, FrameHeader header, const Identity& signer) {
  constexpr unsigned kFirstSegmentWords = 512;  // most messages are one segment
  capnp::MallocMessageBuilder builder(kFirstSegmentWords);
  const ByteView data = write(builder.initRoot<Root>(), message);
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(builder);
  const auto typed = words.asBytes();

  Bytes frame(kBodyAt + typed.size() + data.size());
  CHECK(frame.size() <= limits::kFrameBytesMax, "a frame of {} bytes", frame.size());
  std::copy(kMagic.begin(), kMagic.end(), frame.begin());
  frame[2] = kVersion & 0xff;
  frame[3] = kVersion >> 8;
  put_u64(frame.data() + kSignedAt, header.sender.value);
  put_u64(frame.data() + kSignedAt + 8, header.sequence);
  std::copy(typed.begin(), typed.end(), frame.begin() + kBodyAt);
  std::copy(data.begin(), data.end(), frame.begin() + kBodyAt + typed.size());
  const Signature signature = sign(signer, kDomain, ByteView(frame).subspan(kSignedAt));
  std::copy(signature.begin(), signature.end(), frame.begin() + kSignatureAt);
  return frame;
}

Result<FrameHeader> verify_header(ByteView frame, const SigningPublic& key, NodeId expected) {
  if (frame.size() < kBodyAt || frame.size() > limits::kFrameBytesMax)
    return fail(Code::kBadInput, fmt::format("a frame of {} bytes: it must have {} to {}",
                                             frame.size(), kBodyAt, limits::kFrameBytesMax));
  if (!std::equal(kMagic.begin(), kMagic.end(), frame.begin()))
    return fail(Code::kBadInput, "not a Freshet frame: it does not begin with \"FR\"");
  const int version = frame[2] | frame[3] << 8;
  if (version != kVersion)
    return fail(Code::kRefused,
                fmt::format("a frame of protocol version {}: this program speaks version {}; "
                            "upgrade the older of the two",
                            version, kVersion));
  Signature signature;
  std::copy_n(frame.begin() + kSignatureAt, signature.size(), signature.begin());
  if (!verify(key, kDomain, frame.subspan(kSignedAt), signature))
    return fail(Code::kRefused, "a frame whose signature is not its sender's");
  const FrameHeader header{{get_u64(frame.data() + kSignedAt)},
                           get_u64(frame.data() + kSignedAt + 8)};
  if (header.sender != expected)
    return fail(Code::kRefused, fmt::format("a frame from {:016x} in the name of {:016x}",
                                            expected.value, header.sender.value));
  return header;
}

// A copy on an 8-byte boundary, without what does not fill a word: that is data, never a part of
// the message.
kj::Array<capnp::word> aligned(ByteView body) {
  auto words = kj::heapArray<capnp::word>(body.size() / sizeof(capnp::word));
  if (words.size() > 0) std::memcpy(words.begin(), body.data(), words.asBytes().size());
  return words;
}

template <class Root, class Message>
Result<Message> read_body(ByteView body) {
  try {
    const auto words = aligned(body);
    capnp::ReaderOptions options;
    options.traversalLimitInWords = limits::kFrameBytesMax / sizeof(capnp::word);
    options.nestingLimit = limits::kMessageDepthMax;
    capnp::FlatArrayMessageReader reader(words, options);
    const auto typed_words = static_cast<std::size_t>(reader.getEnd() - words.begin());
    return read(reader.getRoot<Root>(), body.subspan(typed_words * sizeof(capnp::word)));
  } catch (const kj::Exception& error) {
    return fail(Code::kBadInput,
                fmt::format("a malformed message: {}", error.getDescription().cStr()));
  }
}

template <class Root, class Message>
Result<Decoded<Message>> decode_as(ByteView frame, const SigningPublic& key, NodeId expected) {
  Result<Decoded<Message>> decoded;
  TRY_ASSIGN(decoded->header, verify_header(frame, key, expected));
  TRY_ASSIGN(decoded->message, (read_body<Root, Message>(frame.subspan(kBodyAt))));
  return decoded;
}

}  // namespace

Bytes encode(const NodeMessage& message, FrameHeader header, const Identity& signer) {
  CHECK(header.sender == id_of(signer.open.signing), "a node signs in another's name");
  return encode_as<wire::NodeMessage>(message, header, signer);
}

Bytes encode(const CoordinatorMessage& message, FrameHeader header, const Identity& signer) {
  CHECK(header.sender == NodeId{}, "the coordinator signs as a node");
  return encode_as<wire::CoordinatorMessage>(message, header, signer);
}

Result<Decoded<NodeMessage>> decode_from_node(ByteView frame, const SigningPublic& sender) {
  return decode_as<wire::NodeMessage, NodeMessage>(frame, sender, id_of(sender));
}

Result<Decoded<CoordinatorMessage>> decode_from_coordinator(ByteView frame,
                                                            const SigningPublic& coordinator) {
  return decode_as<wire::CoordinatorMessage, CoordinatorMessage>(frame, coordinator, NodeId{});
}

}  // namespace freshet
