#include "trainer/sandbox.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>

namespace freshet {
namespace {

// The whole of the structure, of which Linux 6.1's header has the first member.
struct LandlockRules {
  std::uint64_t file_system, network, scopes;
};

struct LandlockVersion {
  std::size_t size;
  LandlockRules rules;
};

constexpr std::uint64_t low_bits(int count) { return (std::uint64_t{1} << count) - 1; }

// What each version of Landlock can forbid; a later one can do what the last of these can.
constexpr std::array<LandlockVersion, 6> kLandlockVersions{{
    {8, {low_bits(13), 0, 0}},
    {8, {low_bits(14), 0, 0}},
    {8, {low_bits(15), 0, 0}},
    {16, {low_bits(15), low_bits(2), 0}},
    {16, {low_bits(16), low_bits(2), 0}},
    {24, {low_bits(16), low_bits(2), low_bits(2)}},
}};

Error system_error(const char* what, int number) {
  return {Code::kUnavailable, std::string("cannot shut the trainer in: ") + what + ": " +
                                  std::generic_category().message(number) +
                                  " (a trainer needs a kernel with seccomp filters)"};
}

Result<void> forbid_dumps_and_privileges() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0)
    return tl::unexpected(system_error("core limit", errno));
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return tl::unexpected(system_error("dumpable", errno));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return tl::unexpected(system_error("no_new_privs", errno));
  return {};
}

// A ruleset without rules: everything that it handles is forbidden.
bool forbid_paths_by_landlock() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return false;
  const std::size_t index =
      std::min<std::size_t>(static_cast<std::size_t>(version), kLandlockVersions.size()) - 1;
  const LandlockVersion& known = kLandlockVersions[index];
  const int rules =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &known.rules, known.size, 0));
  if (rules < 0) return false;
  const bool done = ::syscall(SYS_landlock_restrict_self, rules, 0) == 0;
  ::close(rules);
  return done;
}

constexpr int kFree[] = {
    // descriptors that are open
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(write),
    SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(close_range),
    SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(fstat), SCMP_SYS(ftruncate),
    SCMP_SYS(fadvise64), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
    SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(memfd_create),
    // memory; oneDNN writes code and then runs it; unwinders and sanitizers probe an address with a
    // pipe
    SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(madvise),
    SCMP_SYS(mincore), SCMP_SYS(brk), SCMP_SYS(membarrier), SCMP_SYS(pipe), SCMP_SYS(pipe2),
    // threads and their signals
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address), SCMP_SYS(rseq),
    SCMP_SYS(gettid), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler),
    SCMP_SYS(getcpu), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
    // time, chance and harmless facts
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times), SCMP_SYS(getrandom), SCMP_SYS(getpid),
    SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(uname), SCMP_SYS(getrusage), SCMP_SYS(sysinfo)};

// A system call that is free only with a certain argument.
struct Limited {
  int call;
  scmp_arg_cmp argument;
};

constexpr std::uint64_t kThread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
constexpr std::uint64_t kGetXcompPerm = 0x1022,
                        kRequestXcompPerm = 0x1023;  // oneDNN's, for AMX tiles

class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(EACCES)), &::seccomp_release) {
    if (!context_)
      problem_ = ENOMEM;
    else
      check(::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_TSYNC, 1));
  }
  void allow(int call) {
    check(::seccomp_rule_add_array(context_.get(), SCMP_ACT_ALLOW, call, 0, nullptr));
  }
  void allow(const Limited& limited) {
    check(::seccomp_rule_add_array(context_.get(), SCMP_ACT_ALLOW, limited.call, 1,
                                   &limited.argument));
  }
  void missing(int call) {
    check(::seccomp_rule_add(context_.get(), SCMP_ACT_ERRNO(ENOSYS), call, 0));
  }
  Result<void> load() {
    if (problem_ == 0) check(::seccomp_load(context_.get()));
    if (problem_ != 0) return tl::unexpected(system_error("seccomp", problem_));
    return {};
  }

 private:
  void check(int result) {
    if (result < 0 && problem_ == 0) problem_ = -result;
  }
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  int problem_ = 0;
};

Result<void> filter_system_calls() {
  const auto self = static_cast<std::uint64_t>(::getpid());
  Filter filter;
  for (int call : kFree) filter.allow(call);
  filter.allow({SCMP_SYS(clone), SCMP_A0_64(SCMP_CMP_MASKED_EQ, kThread, kThread)});
  filter.missing(SCMP_SYS(
      clone3));  // its flags are in memory, out of a filter's sight; glibc goes back to clone
  // fstat() of glibc is this call with an empty path. With a path it tells of a file, but never
  // opens it.
  filter.allow(
      {SCMP_SYS(newfstatat), SCMP_A3_32(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH)});
  for (int what : {F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, F_ADD_SEALS, F_GET_SEALS})
    filter.allow({SCMP_SYS(fcntl), SCMP_A1_32(SCMP_CMP_EQ, static_cast<std::uint32_t>(what))});
  for (int what : {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE})
    filter.allow({SCMP_SYS(prctl), SCMP_A0_32(SCMP_CMP_EQ, static_cast<std::uint32_t>(what))});
  filter.allow({SCMP_SYS(ioctl), SCMP_A1_32(SCMP_CMP_EQ, TCGETS)});  // isatty()
  filter.allow({SCMP_SYS(tgkill), SCMP_A0_64(SCMP_CMP_EQ, self)});   // abort()
  filter.allow({SCMP_SYS(prlimit64), SCMP_A2_64(SCMP_CMP_EQ, 0)});   // reads a limit
#ifdef __x86_64__
  filter.allow({SCMP_SYS(arch_prctl), SCMP_A0_64(SCMP_CMP_EQ, kGetXcompPerm)});
  filter.allow({SCMP_SYS(arch_prctl), SCMP_A0_64(SCMP_CMP_EQ, kRequestXcompPerm)});
#endif
  return filter.load();
}

}  // namespace

Result<Sandbox> enter_sandbox() {
  TRY(forbid_dumps_and_privileges());
  const bool landlock = forbid_paths_by_landlock();
  TRY(filter_system_calls());
  return Sandbox{landlock};
}

}  // namespace freshet
