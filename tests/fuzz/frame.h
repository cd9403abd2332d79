#pragma once
// What the fuzz targets of both directions do with an input: decode it as it came, which hardly
// ever passes the signature, and once more under a good signature, as a peer with a good key could
// send it. What decodes must survive the way back.

#include "base/check.h"
#include "protocol/codec.h"

namespace freshet {

inline const Identity& fuzz_identity() {
  static const Identity identity = Identity::generate();
  return identity;
}

inline Bytes signed_again(ByteView input, NodeId sender) {
  constexpr std::size_t kSignedAt = 68, kBodyAt = 84;  // docs/protocol.md
  Bytes frame = to_bytes(input);
  if (frame.size() < kBodyAt) frame.resize(kBodyAt);
  frame[0] = 'F', frame[1] = 'R', frame[2] = 1, frame[3] = 0;
  for (std::size_t i = 0; i < 8; ++i)
    frame[kSignedAt + i] = static_cast<std::uint8_t>(sender.value >> (8 * i));
  const Signature signature =
      sign(fuzz_identity(), "freshet/frame/v1", ByteView(frame).subspan(kSignedAt));
  std::copy(signature.begin(), signature.end(), frame.begin() + 4);
  return frame;
}

template <class Decode>
void fuzz_frame(ByteView input, NodeId sender, Decode decode) {
  static_cast<void>(decode(input, fuzz_identity().open.signing));
  const auto decoded = decode(signed_again(input, sender), fuzz_identity().open.signing);
  if (!decoded) return;
  const auto again = decode(encode(decoded->message, decoded->header, fuzz_identity()),
                            fuzz_identity().open.signing);
  CHECK(again.has_value(), "{}", again.error().what);
  CHECK(again->message == decoded->message && again->header.sequence == decoded->header.sequence);
}

}  // namespace freshet
