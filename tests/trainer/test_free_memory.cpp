#include <gtest/gtest.h>

#include <new>
#include <vector>

#include "base/exit_code.h"
#include "tests/temp_folder.h"
#include "trainer/transformer/free_memory.h"
#include "trainer/transformer/memory.h"

namespace freshet {
namespace {

class FreeMemory : public testing::Test {
 protected:
  void put(const std::string& name, std::string_view text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    ASSERT_TRUE(write_file_durably(folder_ / name, as_bytes(text), 0600));
  }
  std::uint64_t in(std::string_view groups) const { return free_in_groups(groups, folder_.path()); }
  TempFolder folder_;
};

TEST_F(FreeMemory, IsWhatTheGroupLeaves) {
  EXPECT_EQ(in("0::/\n"), kNoLimit) << "no group has a limit";
  put("a/b/memory.max", "max\n");
  put("a/b/memory.current", "10\n");
  EXPECT_EQ(in("0::/a/b\n"), kNoLimit);
  put("a/b/memory.max", "1000\n");
  EXPECT_EQ(in("0::/a/b\n"), 990u);
  put("a/b/memory.current", "2000\n");
  EXPECT_EQ(in("0::/a/b\n"), 0u) << "over its limit";
}

TEST_F(FreeMemory, EveryGroupAroundItLimitsIt) {
  put("a/memory.max", "100\n");
  put("a/memory.current", "40\n");
  put("a/b/memory.max", "1000\n");
  put("a/b/memory.current", "1\n");
  EXPECT_EQ(in("0::/a/b\n"), 60u);
  put("memory.max", "50\n");
  put("memory.current", "45\n");
  EXPECT_EQ(in("0::/a/b\n"), 5u);
  EXPECT_EQ(in("0::/of/the/host\n"), 5u) << "a container sees its own group at the root";
  EXPECT_EQ(in("0::/../other\n"), 5u);
}

TEST_F(FreeMemory, OfTheFirstVersionToo) {
  put("memory/a/memory.limit_in_bytes", "9223372036854771712\n");
  put("memory/a/memory.usage_in_bytes", "4096\n");
  EXPECT_GT(in("0::/\n4:memory:/a\n"), std::uint64_t{1} << 60) << "what says no limit there";
  put("memory/memory.limit_in_bytes", "300\n");
  put("memory/memory.usage_in_bytes", "100\n");
  EXPECT_EQ(in("5:cpu:/x\n4:hugetlb,memory:/a\n0::/\n"), 200u);
  EXPECT_EQ(in("5:cpu:/x\n"), kNoLimit);
}

TEST_F(FreeMemory, IsNoneWhereItCannotBeTold) {
  put("memory.max", "100\n");
  EXPECT_EQ(in("0::/\n"), 0u);
  put("memory.current", "ten\n");
  EXPECT_EQ(in("0::/\n"), 0u);
  put("memory.max", "-1\n");
  put("memory.current", "10\n");
  EXPECT_EQ(in("0::/\n"), 0u);
}

TEST_F(FreeMemory, OfThisProcessIsNoMoreThanItsGroupsLeave) {
  const auto groups = read_file("/proc/self/cgroup", 1 << 16);
  if (!groups) GTEST_SKIP() << "a kernel without groups";
  EXPECT_LE(free_memory(), free_in_groups(*groups, "/sys/fs/cgroup"));
}

constexpr std::size_t kMoreThanThereIs = std::size_t{1} << 60;

TEST(NoMemory, IsThrownWhereItCanBeCaught) {
  EXPECT_THROW(Memory<float>{kMoreThanThereIs}, std::bad_alloc);
  EXPECT_THROW(Memory<float>{SIZE_MAX}, std::bad_alloc);
}

void ask_on_a_thread() {
#pragma omp parallel
  Memory<float>{kMoreThanThereIs};
}
#if !defined(__SANITIZE_ADDRESS__)  // whose new ends the process by itself
void ask_new_on_a_thread() {
  end_where_new_has_no_memory();
#pragma omp parallel
  std::vector<float>().reserve(kMoreThanThereIs / 4);
}
#endif

TEST(NoMemory, OnAThreadOfAComputationEndsTheProcessWithItsCode) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto ended = testing::ExitedWithCode(static_cast<int>(ExitCode::kNoSpace));
  EXPECT_EXIT(ask_on_a_thread(), ended, "no memory for another 4611686018427387904 bytes");
#if !defined(__SANITIZE_ADDRESS__)
  EXPECT_EXIT(ask_new_on_a_thread(), ended, "no memory for more");
#endif
}

}  // namespace
}  // namespace freshet
