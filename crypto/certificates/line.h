#pragma once
// Bytes as one line that a person can copy: a prefix that says what it is, and base64 of the
// URL-safe alphabet without padding. For this folder only.

#include "crypto/secret.h"

namespace freshet {

Secret to_line(std::string_view prefix, ByteView bytes);
// Blanks around it are let through. `what` is for the message: "a join token".
Result<Secret> from_line(std::string_view what, std::string_view prefix, std::string_view text);

}  // namespace freshet
