#pragma once
// The two packings in which Debian ships the text of the demo: gzip (also dictzip, which is gzip
// with an index), and the windows of LZW codes (compress(1), Welch 1984) that hold the King James
// Bible. Both refuse more than `bytes_max` of output.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace freshet::demo {

Result<std::string> gunzip(ByteView packed, std::string_view source, std::size_t bytes_max);

// One stream of LZW codes of 9 to 16 bits with a clear code, without the three bytes of the .Z
// header.
Result<std::string> decode_lzw(ByteView codes, std::string_view source, std::size_t bytes_max);

// bible.data: a table of window offsets, each window one LZW stream.
Result<std::string> unpack_bible(ByteView data, std::string_view source, std::size_t bytes_max);

}  // namespace freshet::demo
