#pragma once
// What the fuzz targets of both directions do with an input: decode it as it came, which hardly
// ever passes the signature, and once more under a good signature, as a peer with a good key could
// send it. What decodes must survive the way back.

#include <cstring>

#include "base/check.h"
#include "crypto/digest.h"
#include "protocol/codec.h"

namespace freshet {

inline const Identity& fuzz_identity() {
  static const Identity identity = Identity::generate();
  return identity;
}

inline Bytes signed_again(ByteView input, NodeId sender) {
  constexpr std::size_t kSignedAt = 68, kBodyAt = 84, kFormTwoBodyAt = 92;  // docs/protocol.md
  Bytes frame = to_bytes(input);
  if (frame.size() < kBodyAt) frame.resize(kBodyAt);
  std::uint64_t data_bytes = 0;
  if (frame[2] == 2 && frame.size() > kFormTwoBodyAt)
    std::memcpy(&data_bytes, frame.data() + kBodyAt, sizeof data_bytes);
  const bool by_digest = data_bytes > 0 && data_bytes <= frame.size() - kFormTwoBodyAt;
  frame[0] = 'F', frame[1] = 'R', frame[2] = by_digest ? 2 : 1, frame[3] = 0;
  for (std::size_t i = 0; i < 8; ++i)
    frame[kSignedAt + i] = static_cast<std::uint8_t>(sender.value >> (8 * i));
  Bytes covered = to_bytes(ByteView(frame).subspan(kSignedAt));
  if (by_digest) {
    const Digest data = digest_of(ByteView(frame).last(data_bytes));
    covered.resize(covered.size() - data_bytes);
    covered.insert(covered.end(), data.begin(), data.end());
  }
  const Signature signature =
      sign(fuzz_identity(), by_digest ? "freshet/frame/v2" : "freshet/frame/v1", covered);
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
