// Every file of golden/ is a campaign told as text. With FRESHET_UPDATE_GOLDEN=1 in the environment
// the files are written anew, to be reviewed as a diff.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "tests/coordinator/transcript.h"

namespace freshet::campaign {
namespace {

std::vector<Path> transcripts() {
  std::vector<Path> paths;
  for (const auto& entry : std::filesystem::directory_iterator("tests/coordinator/golden"))
    if (entry.path().extension() == ".txt") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

TEST(Transcripts, ReadAsTheyWereReviewed) {
  ASSERT_GE(transcripts().size(), 5u);
  for (const Path& path : transcripts()) {
    auto reviewed = read_file(path, 1 << 20);
    ASSERT_TRUE(reviewed) << reviewed.error().what;
    const std::string now = run_transcript(*reviewed);
    EXPECT_EQ(now.find("VIOLATION"), std::string::npos) << path << "\n" << now;
    if (std::getenv("FRESHET_UPDATE_GOLDEN") != nullptr) {
      ASSERT_TRUE(write_file_durably(path, as_bytes(now)));
    } else {
      EXPECT_EQ(now, *reviewed)
          << path << ": if the change is meant, set FRESHET_UPDATE_GOLDEN=1 and review the diff";
    }
  }
}

}  // namespace
}  // namespace freshet::campaign
