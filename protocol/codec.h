#pragma once
// Messages to signed frames and back. A frame is: u16 magic, u16 version, 64-byte Ed25519 signature
// over "freshet/frame/v1" and the rest, 8-byte sender NodeId, 8-byte sequence, then one Cap'n Proto
// message (bulk data beside it, not in it). Decoding trusts nothing: lengths, text sizes, enum
// values and floats are checked against limits.h.

#include "protocol/messages.h"

namespace freshet {

struct FrameHeader {
  NodeId sender;               // 0: the coordinator
  std::uint64_t sequence = 0;  // strictly rising per sender and connection
};

// REQUIRES: what limits.h and validate() ask of the values, and header.sender the signer's own id,
// or 0 of the coordinator: anything else is a bug of ours. A frame has at most
// limits::kFrameBytesMax bytes.
Bytes encode(const NodeMessage& message, FrameHeader header, const Identity& signer);
Bytes encode(const CoordinatorMessage& message, FrameHeader header, const Identity& signer);

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
