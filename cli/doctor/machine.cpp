#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <thread>
#include <vector>

#include "cli/doctor/finding.h"
#include "trainer/kernels/product.h"

namespace freshet::doctor {
namespace {

constexpr std::int64_t kYear2026 = 1767225600;  // no machine that runs this is older
constexpr rlim_t kLockedBytes = rlim_t{8}
                                << 20;  // what the keys of a round of 1,000 nodes take, roundly
constexpr double kSlowFlops = 4e9;      // of one core: half of what a plain SSE build does

Finding clock_of_machine() {
  const std::time_t now = std::time(nullptr);
  if (now < kYear2026)
    return {"clock", fmt::format("says {} seconds after 1970: no certificate is valid yet", now),
            State::kBad, "set the time: `timedatectl set-ntp true`"};
  timex state{};
  if (::adjtimex(&state) == TIME_ERROR)
    return {"clock", "nothing keeps it right; certificates let 5 minutes of difference through",
            State::kPoor, "let something keep it: `timedatectl set-ntp true`, or chrony"};
  return {"clock", "kept right by the network", State::kGood, ""};
}

Finding entropy() {
  unsigned char byte = 0;
  if (::getrandom(&byte, 1, GRND_NONBLOCK) == 1)
    return {"entropy", "the kernel's generator is ready", State::kGood, ""};
  return {"entropy", "the kernel has not gathered enough randomness for keys yet", State::kBad,
          "wait a minute after the start of the machine; install rng-tools5 where it stays so"};
}

Finding locked_memory() {
  rlimit limit{};
  ::getrlimit(RLIMIT_MEMLOCK, &limit);
  constexpr std::size_t kBytes = 256 << 10;
  void* memory =
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const bool locks = memory != MAP_FAILED && ::mlock(memory, kBytes) == 0;
  if (memory != MAP_FAILED) ::munmap(memory, kBytes);
  const std::string allowed = limit.rlim_cur == RLIM_INFINITY
                                  ? "as much as it likes"
                                  : fmt::format("{} KiB", limit.rlim_cur >> 10);
  if (!locks)
    return {"locked memory", "keys cannot be kept out of swap", State::kPoor,
            "raise the limit: `ulimit -l 65536`, or LimitMEMLOCK=64M in the unit"};
  if (limit.rlim_cur < kLockedBytes)
    return {"locked memory", allowed + " may be locked: the keys of a large round do not fit",
            State::kPoor, "raise the limit: `ulimit -l 65536`, or LimitMEMLOCK=64M in the unit"};
  return {"locked memory", "a process may lock " + allowed, State::kGood, ""};
}

Finding sandbox() {
  const long landlock =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1u);  // LANDLOCK_CREATE_RULESET_VERSION
  if (landlock >= 1)
    return {"sandbox", fmt::format("Landlock {}: the trainer cannot open files", landlock),
            State::kGood, ""};
  return {"sandbox", "no Landlock: the trainer's filter of system calls stands alone", State::kPoor,
          "use a kernel of 5.13 or later with landlock in /sys/kernel/security/lsm"};
}

// Products of 256 x 256 as the trainer makes them, on one thread.
Finding speed() {
  constexpr std::int64_t kSide = 256;
  std::vector<float> x(kSide * kSide, 0.5f), w(kSide * kSide, 0.25f), y(kSide * kSide);
  kernels::Product product;
  product.x = {kSide, kSide, x.data(), nullptr};
  product.w = {kernels::Form::kF32, kSide, kSide, w.data(), nullptr};
  product.y = y.data();
  kernels::multiply(product);
  using Time = std::chrono::steady_clock;
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const auto begin = Time::now();
    kernels::multiply(product);
    const double seconds = std::chrono::duration<double>(Time::now() - begin).count();
    best = std::max(best, 2.0 * kSide * kSide * kSide / seconds);
  }
  const std::string says = fmt::format("{:.1f} Gflop/s in f32, {} cores{}", best / 1e9,
                                       std::thread::hardware_concurrency(),
                                       kernels::multiplies_bf16() ? ", multiplies bf16" : "");
  if (best >= kSlowFlops) return {"products", says, State::kGood, ""};
  return {"products", says + ": training will take long", State::kPoor,
          "look for another program that takes the processor, or for a power limit; --method mezo "
          "needs least"};
}

Finding memory() {
  std::ifstream file("/proc/meminfo");
  std::string word;
  std::uint64_t value = 0, available = 0;
  for (std::string rest; file >> word >> value && std::getline(file, rest);)
    if (word == "MemAvailable:") available = value << 10;
  const std::string says = fmt::format("{} MB free", available / 1'000'000);
  if (available >= 200'000'000) return {"memory", says, State::kGood, ""};
  return {"memory", says + ": too little to train more than the smallest model", State::kPoor,
          "free some, or train with --memory-max and --method mezo"};
}

Finding kernel() {
  utsname name{};
  ::uname(&name);
  return {"system", fmt::format("{} {} {}", name.sysname, name.release, name.machine), State::kGood,
          ""};
}

}  // namespace

Findings look_at_machine() {
  return {kernel(), clock_of_machine(), entropy(), locked_memory(), sandbox(), speed(), memory()};
}

}  // namespace freshet::doctor
