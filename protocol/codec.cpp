#include "protocol/codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fmt/core.h>

#include <optional>

#include "crypto/digest.h"
#include "protocol/wire.h"

namespace freshet {
namespace {

constexpr std::array<std::uint8_t, 2> kMagic = {'F', 'R'};
constexpr std::string_view kDomain = "freshet/frame/v1", kDataDomain = "freshet/frame/v2";
constexpr std::size_t kSignatureAt = 4, kSignedAt = kSignatureAt + sizeof(Signature);
constexpr std::size_t kBodyAt = kSignedAt + 16;
constexpr std::size_t kDataBytesAt = kBodyAt, kFormTwoBodyAt = kBodyAt + 8;
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

// What form 2 signs: all but the data, which is last, and the data's digest.
Bytes signed_with_digest(ByteView frame, std::size_t data_bytes, const Digest& data) {
  const ByteView head = frame.subspan(kSignedAt, frame.size() - kSignedAt - data_bytes);
  Bytes covered(head.begin(), head.end());
  covered.insert(covered.end(), data.begin(), data.end());
  return covered;
}

template <class Root, class Message>
Bytes encode_as(const Message& message, FrameHeader header, const Identity& signer,
                const Digest* known) {
  constexpr unsigned kFirstSegmentWords = 512;  // most messages are one segment
  capnp::MallocMessageBuilder builder(kFirstSegmentWords);
  const ByteView data = write(builder.initRoot<Root>(), message);
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(builder);
  const auto typed = words.asBytes();

  const bool by_digest = header.form >= 2 && !data.empty();
  const std::size_t body_at = by_digest ? kFormTwoBodyAt : kBodyAt;
  Bytes frame(body_at + typed.size() + data.size());
  CHECK(frame.size() <= limits::kFrameBytesMax, "a frame of {} bytes", frame.size());
  std::copy(kMagic.begin(), kMagic.end(), frame.begin());
  frame[2] = by_digest ? 2 : 1;
  put_u64(frame.data() + kSignedAt, header.sender.value);
  put_u64(frame.data() + kSignedAt + 8, header.sequence);
  if (by_digest) put_u64(frame.data() + kDataBytesAt, data.size());
  std::memcpy(frame.data() + body_at, typed.begin(), typed.size());
  if (!data.empty()) std::memcpy(frame.data() + body_at + typed.size(), data.data(), data.size());
  const Signature signature =
      by_digest ? sign(signer, kDataDomain,
                       signed_with_digest(frame, data.size(), known ? *known : digest_of(data)))
                : sign(signer, kDomain, ByteView(frame).subspan(kSignedAt));
  std::copy(signature.begin(), signature.end(), frame.begin() + kSignatureAt);
  return frame;
}

Result<bool> is_signed_by(ByteView frame, const SigningPublic& key, std::uint16_t form) {
  Signature signature;
  std::copy_n(frame.begin() + kSignatureAt, signature.size(), signature.begin());
  if (form == 1) return verify(key, kDomain, frame.subspan(kSignedAt), signature);
  if (frame.size() < kFormTwoBodyAt)
    return fail(Code::kBadInput, fmt::format("a frame of {} bytes", frame.size()));
  const std::uint64_t data_bytes = get_u64(frame.data() + kDataBytesAt);
  if (data_bytes == 0 || data_bytes > limits::kChunkBytes ||
      data_bytes > frame.size() - kFormTwoBodyAt)
    return fail(Code::kBadInput, fmt::format("a frame of {} bytes that says {} of them are data",
                                             frame.size(), data_bytes));
  const Digest data = digest_of(frame.last(data_bytes));
  return verify(key, kDataDomain, signed_with_digest(frame, data_bytes, data), signature);
}

Result<FrameHeader> verify_header(ByteView frame, const SigningPublic& key, NodeId expected) {
  if (frame.size() < kBodyAt || frame.size() > limits::kFrameBytesMax)
    return fail(Code::kBadInput, fmt::format("a frame of {} bytes: it must have {} to {}",
                                             frame.size(), kBodyAt, limits::kFrameBytesMax));
  if (!std::equal(kMagic.begin(), kMagic.end(), frame.begin()))
    return fail(Code::kBadInput, "not a Freshet frame: it does not begin with \"FR\"");
  const auto form = static_cast<std::uint16_t>(frame[2] | frame[3] << 8);
  if (form < 1 || form > kNewestForm)
    return fail(Code::kRefused,
                fmt::format("a frame of protocol version {}: this program speaks versions 1 to {}; "
                            "upgrade the older of the two",
                            form, kNewestForm));
  TRY_ASSIGN(const bool is_signed, is_signed_by(frame, key, form));
  if (!is_signed) return fail(Code::kRefused, "a frame whose signature is not its sender's");
  const FrameHeader header{{get_u64(frame.data() + kSignedAt)},
                           get_u64(frame.data() + kSignedAt + 8),
                           form};
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

// The data of form 2 is as long as its head says, which the signature covers.
template <class Root, class Message>
Result<Message> read_body(ByteView body, std::optional<std::size_t> data_bytes) {
  try {
    const auto words = aligned(body);
    capnp::ReaderOptions options;
    options.traversalLimitInWords = limits::kFrameBytesMax / sizeof(capnp::word);
    options.nestingLimit = limits::kMessageDepthMax;
    capnp::FlatArrayMessageReader reader(words, options);
    const auto typed_words = static_cast<std::size_t>(reader.getEnd() - words.begin());
    const ByteView data = body.subspan(typed_words * sizeof(capnp::word));
    if (data_bytes && data.size() != *data_bytes)
      return fail(Code::kBadInput, "a malformed message: its data begins elsewhere");
    return read(reader.getRoot<Root>(), data);
  } catch (const kj::Exception& error) {
    return fail(Code::kBadInput,
                fmt::format("a malformed message: {}", error.getDescription().cStr()));
  }
}

template <class Root, class Message>
Result<Decoded<Message>> decode_as(ByteView frame, const SigningPublic& key, NodeId expected) {
  Result<Decoded<Message>> decoded;
  TRY_ASSIGN(decoded->header, verify_header(frame, key, expected));
  const bool by_digest = decoded->header.form == 2;
  std::optional<std::size_t> data_bytes;
  if (by_digest) data_bytes = get_u64(frame.data() + kDataBytesAt);
  const ByteView body = frame.subspan(by_digest ? kFormTwoBodyAt : kBodyAt);
  TRY_ASSIGN(decoded->message, (read_body<Root, Message>(body, data_bytes)));
  return decoded;
}

}  // namespace

Bytes encode(const NodeMessage& message, FrameHeader header, const Identity& signer) {
  CHECK(header.sender == id_of(signer.open.signing), "a node signs in another's name");
  return encode_as<wire::NodeMessage>(message, header, signer, nullptr);
}

Bytes encode(const CoordinatorMessage& message, FrameHeader header, const Identity& signer,
             const Digest* data) {
  CHECK(header.sender == NodeId{}, "the coordinator signs as a node");
  return encode_as<wire::CoordinatorMessage>(message, header, signer, data);
}

Result<Decoded<NodeMessage>> decode_from_node(ByteView frame, const SigningPublic& sender) {
  return decode_as<wire::NodeMessage, NodeMessage>(frame, sender, id_of(sender));
}

Result<Decoded<CoordinatorMessage>> decode_from_coordinator(ByteView frame,
                                                            const SigningPublic& coordinator) {
  return decode_as<wire::CoordinatorMessage, CoordinatorMessage>(frame, coordinator, NodeId{});
}

}  // namespace freshet
