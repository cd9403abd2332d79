#pragma once
// Finds runs of hexadecimal digits or base64 characters in recorded bytes and gives what they may
// stand for: hexadecimal from both parities, base64 (standard and URL alphabet) from all four
// alignments. So a private text that was encoded, and from whatever byte, comes out as it was.

#include <functional>

#include "base/bytes.h"

namespace freshet::demo {

using OnDecoded = std::function<void(ByteView)>;

// Only runs that stand for at least `bytes_min` bytes.
void for_each_hex_run(ByteView text, std::size_t bytes_min, const OnDecoded& on_decoded);
void for_each_base64_run(ByteView text, std::size_t bytes_min, const OnDecoded& on_decoded);

}  // namespace freshet::demo
