#pragma once
// What the tests of both journals share.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/journal.h"

namespace freshet {

inline std::vector<std::string> entries_from(Journal& journal, std::uint64_t first) {
  std::vector<std::string> entries;
  const auto replayed =
      journal.replay(first, [&](std::uint64_t sequence, ByteView entry) -> Result<void> {
        EXPECT_EQ(sequence, first + entries.size());
        entries.emplace_back(as_text(entry));
        return {};
      });
  EXPECT_TRUE(replayed) << replayed.error().what;
  return entries;
}

}  // namespace freshet
