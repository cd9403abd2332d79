#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "model/process/trainer_frame.h"
#include "tests/trainer/memory_files.h"
#include "trainer/sandbox.h"

namespace freshet {
namespace {

// What a child process says of itself: one line for each thing wrong.
struct Report {
  std::string text;
  int status = 0;
};

using Say = std::function<void(const std::string&)>;

Report in_child(const std::function<void(const Say&)>& body) {
  int pair[2];
  EXPECT_EQ(::pipe(pair), 0);
  const UniqueFd reading(pair[0]);
  UniqueFd writing(pair[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    body([&](const std::string& line) {
      (void)write_all(writing.get(), as_bytes(line + "\n"), "report");
    });
    ::_exit(0);
  }
  writing.reset();
  Report report;
  report.text = *read_all(reading.get(), "report", 1 << 20);
  ::waitpid(child, &report.status, 0);
  return report;
}

// What the calls below need from the time before the sandbox.
struct Held {
  UniqueFd memory = text_fd("held"), tcp{::socket(AF_INET, SOCK_STREAM, 0)},
           udp{::socket(AF_INET, SOCK_DGRAM, 0)};
  UniqueFd folder{::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  pid_t parent = ::getppid();
  sockaddr_in discard{};
  Held() {
    discard.sin_family = AF_INET;
    discard.sin_port = htons(9);
    discard.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&discard); }
};

struct Forbidden {
  const char* name;
  std::function<long(const Held&)> call;
};

const char* const kNoWhere = "/nonexistent/file";

long run_nothing() {
  char name[] = "/nonexistent/program";
  char* arguments[] = {name, nullptr};
  return ::execve(name, arguments, nullptr);
}

long look_into(pid_t pid) {
  char byte = 0;
  const iovec here{&byte, 1}, there{&byte, 1};
  return ::process_vm_readv(pid, &here, 1, &there, 1, 0);
}

long forked() {
  const long pid = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0);
  if (pid == 0) ::_exit(0);
  return pid;
}

std::vector<Forbidden> forbidden() {
  return {
      {"socket AF_INET", [](const Held&) -> long { return ::socket(AF_INET, SOCK_STREAM, 0); }},
      {"socket AF_UNIX", [](const Held&) -> long { return ::socket(AF_UNIX, SOCK_STREAM, 0); }},
      {"socketpair",
       [](const Held&) -> long {
         int pair[2];
         return ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
       }},
      {"connect",
       [](const Held& held) -> long {
         return ::connect(held.udp.get(), held.address(), sizeof held.discard);
       }},
      {"bind",
       [](const Held& held) -> long {
         return ::bind(held.tcp.get(), held.address(), sizeof held.discard);
       }},
      {"listen", [](const Held& held) -> long { return ::listen(held.tcp.get(), 1); }},
      {"accept",
       [](const Held& held) -> long {
         return ::accept4(held.tcp.get(), nullptr, nullptr, SOCK_NONBLOCK);
       }},
      {"sendto",
       [](const Held& held) -> long {
         return ::sendto(held.udp.get(), "x", 1, 0, held.address(), sizeof held.discard);
       }},
      {"open",
       [](const Held&) -> long {
         return ::syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
       }},
      {"open itself", [](const Held&) -> long { return ::open("/proc/self/exe", O_RDONLY); }},
      {"open its memory", [](const Held&) -> long { return ::open("/proc/self/mem", O_RDONLY); }},
      {"open below a folder",
       [](const Held& held) -> long {
         return ::openat(held.folder.get(), "etc/passwd", O_RDONLY);
       }},
      {"openat2",
       [](const Held&) -> long {
         std::uint64_t how[3]{};
         return ::syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof how);
       }},
      {"creat", [](const Held&) -> long { return ::open(kNoWhere, O_CREAT | O_WRONLY, 0600); }},
      {"stat",
       [](const Held&) -> long {
         struct stat info;
         return ::stat("/etc/passwd", &info);
       }},
      {"access", [](const Held&) -> long { return ::access("/etc/passwd", R_OK); }},
      {"readlink",
       [](const Held&) -> long {
         char text[64];
         return ::readlink("/proc/self/exe", text, sizeof text);
       }},
      {"list a folder",
       [](const Held& held) -> long {
         char text[512];
         return ::syscall(SYS_getdents64, held.folder.get(), text, sizeof text);
       }},
      {"unlink", [](const Held&) -> long { return ::unlink(kNoWhere); }},
      {"rename", [](const Held&) -> long { return ::rename(kNoWhere, kNoWhere); }},
      {"link", [](const Held&) -> long { return ::link(kNoWhere, kNoWhere); }},
      {"symlink", [](const Held&) -> long { return ::symlink(kNoWhere, kNoWhere); }},
      {"mkdir", [](const Held&) -> long { return ::mkdir(kNoWhere, 0700); }},
      {"chdir", [](const Held&) -> long { return ::chdir("/"); }},
      {"chroot", [](const Held&) -> long { return ::chroot(kNoWhere); }},
      {"mount",
       [](const Held&) -> long { return ::mount(kNoWhere, kNoWhere, nullptr, MS_BIND, nullptr); }},
      {"name_to_handle_at",
       [](const Held&) -> long {
         return ::syscall(SYS_name_to_handle_at, AT_FDCWD, kNoWhere, nullptr, nullptr, 0);
       }},
      {"execve", [](const Held&) -> long { return run_nothing(); }},
      {"execveat",
       [](const Held& held) -> long {
         char* none[] = {nullptr};
         return ::syscall(SYS_execveat, held.memory.get(), "", none, none, AT_EMPTY_PATH);
       }},
      {"fork", [](const Held&) -> long { return forked(); }},
      {"ptrace",
       [](const Held& held) -> long {
         return ::ptrace(PTRACE_SEIZE, held.parent, nullptr, nullptr);
       }},
      {"process_vm_readv", [](const Held& held) -> long { return look_into(held.parent); }},
      {"kill of others", [](const Held& held) -> long { return ::kill(held.parent, 0); }},
      {"tgkill of others",
       [](const Held& held) -> long { return ::syscall(SYS_tgkill, held.parent, held.parent, 0); }},
      {"pidfd_open",
       [](const Held& held) -> long { return ::syscall(SYS_pidfd_open, held.parent, 0); }},
      {"io_uring_setup",
       [](const Held&) -> long { return ::syscall(SYS_io_uring_setup, 1, nullptr); }},
      {"unshare", [](const Held&) -> long { return ::unshare(0); }},
      {"bpf", [](const Held&) -> long { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
      {"raise the core limit",
       [](const Held&) -> long {
         rlimit all{RLIM_INFINITY, RLIM_INFINITY};
         return ::setrlimit(RLIMIT_CORE, &all);
       }},
      {"become dumpable", [](const Held&) -> long { return ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }},
      {"signal on input",
       [](const Held& held) -> long { return ::fcntl(held.tcp.get(), F_SETOWN, held.parent); }},
  };
}

bool denied(const Forbidden& each, const Held& held) {
  errno = 0;
  return each.call(held) < 0 && errno == EACCES;
}

TEST(Sandbox, NoNetworkNoPathsNoProgramsNoOtherProcesses) {
  const Report report = in_child([](const Say& say) {
    const Held held;
    if (!enter_sandbox()) return say("no sandbox");
    for (const Forbidden& each : forbidden())
      if (!denied(each, held)) say(std::string(each.name) + ": " + std::strerror(errno));
  });
  EXPECT_EQ(report.text, "");
  EXPECT_EQ(report.status, 0);
}

// Without the sandbox none of the probes is denied for another reason, or they would show nothing.
TEST(Sandbox, TheProbesAreNotDeniedOutside) {
  for (const Forbidden& each : forbidden()) {
    const Report report = in_child([&](const Say& say) {
      const Held held;
      if (denied(each, held)) say(each.name);
    });
    EXPECT_EQ(report.text, "");
  }
}

TEST(Sandbox, HoldsForThreadsThatRanBefore) {
  const Report report = in_child([](const Say& say) {
    std::promise<void> entered;
    std::thread earlier([&, ready = entered.get_future()]() mutable {
      ready.wait();
      if (::open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES)
        say("an earlier thread opens files");
      if (::socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EACCES)
        say("an earlier thread makes sockets");
    });
    if (!enter_sandbox()) say("no sandbox");
    entered.set_value();
    earlier.join();
  });
  EXPECT_EQ(report.text, "");
  EXPECT_EQ(report.status, 0);
}

TEST(Sandbox, DumpsNothing) {
  const Report report = in_child([](const Say& say) {
    if (!enter_sandbox()) return say("no sandbox");
    rlimit core{1, 1};
    if (::getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 || core.rlim_max != 0)
      say("a core limit");
    if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) say("dumpable");
  });
  EXPECT_EQ(report.text, "");
}

TEST(Sandbox, UsesLandlockWhereTheKernelHasIt) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1);
  const Report report = in_child([&](const Say& say) {
    const Result<Sandbox> sandbox = enter_sandbox();
    if (!sandbox || sandbox->landlock != (version >= 1)) say("landlock");
  });
  EXPECT_EQ(report.text, "");
}

void use_descriptors(const Held& held, int socket, const Say& say) {
  char text[5]{};
  if (::pread(held.memory.get(), text, 4, 0) != 4 || std::string_view(text) != "held") say("pread");
  const Result<MappedFile> mapped = MappedFile::of(held.memory, "held");
  if (!mapped || as_text(mapped->view()) != "held") say("mmap of a descriptor");
  Result<UniqueFd> vector = sealed_vector({1, 2, 3});
  if (!vector) return say("sealed vector: " + vector.error().what);
  TrainerFrame frame{"vector", {}};
  frame.fds.push_back(std::move(*vector));
  if (!send_frame(socket, frame, true)) say("send");
}

void receive_descriptors(int socket, const Say& say) {
  Result<ReceivedFrame> received = receive_frame(socket, true);
  if (!received || received->frame.fds.size() != 1) return say("receive");
  const auto values = open_sealed_vector(received->frame.fds[0], 3);
  if (!values || *values != std::vector<float>{1, 2, 3}) say("open a received vector");
}

TEST(Sandbox, DescriptorsMemoryFilesAndThreadsStillWork) {
  const Report report = in_child([](const Say& say) {
    const Held held;
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0) return say("socketpair");
    if (!enter_sandbox()) return say("no sandbox");
    use_descriptors(held, pair[0], say);
    receive_descriptors(pair[1], say);
    std::vector<std::future<int>> threads;
    for (int i = 0; i < 4; ++i)
      threads.push_back(std::async(std::launch::async, [i] { return i; }));
    for (int i = 0; i < 4; ++i)
      if (threads[static_cast<std::size_t>(i)].get() != i) say("a thread");
    const std::vector<char> large(64 << 20, 'x');
    if (large.back() != 'x') say("memory");
    timespec brief{0, 1};
    if (::clock_nanosleep(CLOCK_MONOTONIC, 0, &brief, nullptr) != 0) say("nanosleep");
  });
  EXPECT_EQ(report.text, "");
  EXPECT_EQ(report.status, 0);
}

#ifdef __x86_64__
TEST(Sandbox, CodeThatALibraryWroteStillRuns) {
  const Report report = in_child([](const Say& say) {
    if (!enter_sandbox()) return say("no sandbox");
    const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};  // mov eax, 42; ret
    void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return say("mmap");
    std::memcpy(page, code, sizeof code);
    if (::mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0) return say("mprotect");
    if (reinterpret_cast<int (*)()>(page)() != 42) say("the code");
  });
  EXPECT_EQ(report.text, "");
}
#endif

TEST(Sandbox, AFailedCheckStillEndsTheProcess) {
  const Report report = in_child([](const Say& say) {
    ::signal(SIGABRT, SIG_DFL);
    if (!enter_sandbox()) return say("no sandbox");
    std::abort();
  });
  EXPECT_TRUE(WIFSIGNALED(report.status));
  EXPECT_EQ(WTERMSIG(report.status), SIGABRT);
}

}  // namespace
}  // namespace freshet
