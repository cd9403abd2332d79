#pragma once
// A passphrase, from the terminal without echo or from the first line of a private file. Never from
// the command line, which every process of a machine can read.

#include "base/files.h"
#include "crypto/secret.h"

namespace freshet::authority {

// `file` empty: the terminal; `twice`: asked again, and refused when the two differ.
Result<Secret> read_passphrase(const Path& file, const std::string& prompt, bool twice);

}  // namespace freshet::authority
