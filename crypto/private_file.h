#pragma once
// Reading a file that nobody else may read.

#include <optional>

#include "base/files.h"
#include "crypto/secret.h"

namespace freshet {

// The whole content of a private file of at most `bytes_max` bytes; nothing when there is no such
// file. kRefused when it is open to other users, kCorrupt when it is larger.
Result<std::optional<Secret>> read_private_file(const Path& path, std::size_t bytes_max);

}  // namespace freshet
