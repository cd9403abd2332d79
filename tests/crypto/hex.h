#pragma once
// Bytes of a test, as a standard prints them.

#include <string_view>

#include "base/bytes.h"

namespace freshet {

inline Bytes hex(std::string_view text) { return from_hex(text).value(); }

}  // namespace freshet
