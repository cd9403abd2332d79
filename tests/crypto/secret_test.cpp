#include "crypto/secret.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <ostream>
#include <sstream>
#include <type_traits>
#include <vector>

#include "base/limits.h"
#include "crypto/keys.h"

namespace freshet {
namespace {

template <class T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};
static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
static_assert(!Printable<Secret> && !fmt::is_formattable<Secret>::value,
              "a log line cannot hold a secret");
static_assert(!Printable<Identity> && !fmt::is_formattable<Identity>::value);

// The flags of the mapping that holds `address`, such as "rd wr mr mw me lo ac dd".
std::string mapping_flags(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0, to = 0;
    char dash = 0;
    std::istringstream head(line);
    if (head >> std::hex >> from >> dash >> to && dash == '-')
      inside = from <= wanted && wanted < to;
    if (inside && line.starts_with("VmFlags:")) return line;
  }
  return "";
}

// Runs `body` in a child; the child's exit code comes back, or -1 when a signal ended it.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Secret, IsZeroAtFirstAndMovesAsAWhole) {
  Secret secret(40);
  EXPECT_EQ(to_bytes(secret.view()), Bytes(40));
  secret.writable()[3] = 7;
  Secret moved(std::move(secret));
  EXPECT_EQ(moved.view()[3], 7);
  EXPECT_TRUE(secret.view().empty());
  Secret target = Secret::random(8);
  target = std::move(moved);
  EXPECT_EQ(target.view().size(), 40u);
  EXPECT_EQ(to_bytes(target.clone().view()), to_bytes(target.view()));
  EXPECT_TRUE(Secret(0).view().empty());
  EXPECT_TRUE(Secret::copy_of({}).view().empty());
}

TEST(Secret, LivesInMemoryThatCoreFilesLeaveOut) {
  const Secret secret = Secret::random(32);
  const std::string flags = mapping_flags(secret.view().data());
  if (flags.empty()) GTEST_SKIP() << "this kernel shows no VmFlags";
  EXPECT_NE(flags.find(" dd"), std::string::npos) << flags;
}

TEST(SecretDeathTest, IsGuardedAgainstReadingBeyondItsEnd) {
  const Secret secret = Secret::random(32);
  const volatile std::uint8_t* data = secret.view().data();
  EXPECT_DEATH(static_cast<void>(data[32]), "");
}

// Guarded memory takes four mappings a secret; ten thousand nodes in one process must still work.
TEST(Secret, GoesOnInPlainMemoryWhenGuardedMemoryIsUsedUp) {
  std::vector<Secret> secrets;
  for (std::size_t i = 0; i < 3 * limits::kGuardedSecretsMax; ++i)
    secrets.push_back(Secret::random(32));
  EXPECT_NE(to_bytes(secrets.back().view()), Bytes(32));
  EXPECT_NE(to_bytes(secrets.back().view()), to_bytes(secrets.front().view()));
  secrets.clear();
  const Secret again = Secret::random(32);
  const std::string flags = mapping_flags(again.view().data());
  EXPECT_TRUE(flags.empty() || flags.find(" dd") != std::string::npos)
      << "guarded again once there is room";
}

TEST(Secret, WorksWhereNoMemoryMayBeLocked) {
  EXPECT_EQ(in_child([] {
              const rlimit none{0, 0};
              if (::setrlimit(RLIMIT_MEMLOCK, &none) != 0) return 2;
              if (::geteuid() == 0 && ::setuid(65534) != 0)
                return 3;  // root may lock without limit
              const Identity identity = Identity::generate();
              return identity.signing.view().size() == 64 && harden_process() ? 0 : 1;
            }),
            0);
}

TEST(Secret, ComparesBySizeAndContent) {
  const Bytes a = {1, 2, 3}, b = {1, 2, 4};
  EXPECT_TRUE(equal_in_constant_time(a, Bytes{1, 2, 3}));
  EXPECT_FALSE(equal_in_constant_time(a, b));
  EXPECT_FALSE(equal_in_constant_time(a, ByteView(a).first(2)));
  EXPECT_TRUE(equal_in_constant_time({}, {}));
}

TEST(HardenProcess, TurnsCoreFilesDumpsAndOpenModesOff) {
  EXPECT_EQ(in_child([] {
              if (!harden_process()) return 1;
              rlimit core{1, 1};
              ::getrlimit(RLIMIT_CORE, &core);
              if (core.rlim_cur != 0 || core.rlim_max != 0) return 2;
              if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) return 3;
              return ::umask(0) == 077 ? 0 : 4;
            }),
            0);
}

}  // namespace
}  // namespace freshet
