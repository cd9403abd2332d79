#pragma once
// The folder of published models and texts that stands beside the repository on some machines.
// Tests that need it:
//   FRESHET_SHARED_OR_SKIP(const Path shared);

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "base/files.h"

namespace freshet {

inline std::optional<Path> shared_folder() {
  const char* given = std::getenv("FRESHET_SHARED");
  const Path folder = given != nullptr ? Path(given) : Path("..") / "shared";
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder / "models", ignored)) return std::nullopt;
  return folder;
}

}  // namespace freshet

#define FRESHET_SHARED_OR_SKIP(target)                                                    \
  const std::optional<::freshet::Path> found_shared_ = ::freshet::shared_folder();        \
  if (!found_shared_)                                                                     \
    GTEST_SKIP() << "no ../shared folder and no FRESHET_SHARED: nothing to compare with"; \
  target = *found_shared_
