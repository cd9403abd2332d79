#pragma once
// Messages to signed frames and back. A frame is: u16 magic, u16 form, 64-byte Ed25519 signature
// over "freshet/frame/v1" and the rest, 8-byte sender NodeId, 8-byte sequence, then one Cap'n Proto
// message (bulk data beside it, not in it). In form 2, which has data, the signature is over the
// data's digest in its place. Decoding trusts nothing: lengths, text sizes, enum values and floats
// are checked against limits.h.

#include "protocol/messages.h"

namespace freshet {

struct FrameHeader {
  NodeId sender;               // 0: the coordinator
  std::uint64_t sequence = 0;  // strictly rising per sender and connection
  std::uint16_t form = 1;      // at most, of a frame that is made; of one that was read
};
inline constexpr std::uint16_t kNewestForm = 2;
// What a peer said that it reads.
constexpr std::uint16_t form_for(std::uint16_t said) {
  return said < 1 ? 1 : said > kNewestForm ? kNewestForm : said;
}

// REQUIRES: what limits.h and validate() ask of the values, and header.sender the signer's own id,
// or 0 of the coordinator: anything else is a bug of ours. A frame has at most
// limits::kFrameBytesMax bytes.
Bytes encode(const NodeMessage& message, FrameHeader header, const Identity& signer);
// `data`: the digest of the message's data, where it is known already.
Bytes encode(const CoordinatorMessage& message, FrameHeader header, const Identity& signer,
             const Digest* data = nullptr);

template <class Message>
struct Decoded {
  FrameHeader header;
  Message message;
};
// kRefused: another version (says which we speak), a bad signature, or another's name. kBadInput:
// malformed.
Result<Decoded<NodeMessage>> decode_from_node(ByteView frame, const SigningPublic& sender);
Result<Decoded<CoordinatorMessage>> decode_from_coordinator(ByteView frame,
                                                            const SigningPublic& coordinator);

}  // namespace freshet
