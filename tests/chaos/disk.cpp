#include "tests/chaos/disk.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "base/check.h"
#include "base/crash_point.h"

namespace freshet::chaos {
namespace {

constexpr int kFullFor = 12;  // refused writes, until somebody has made room

struct Shared {
  std::atomic<bool> fired;
  char where[64];
};
Shared* shared_page() {
  static Shared* page = static_cast<Shared*>(
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  return page;
}

struct Changed {  // a file with bytes that are not synced
  int fd = -1;    // our own
  off_t durable = 0;
};
struct Renamed {  // or removed (`to` is empty), in a folder that is not synced
  std::string from, to;
  std::string kept;  // what was at `to`, or at `from`; empty: nothing
};

struct Disk {
  Trap trap;
  std::mutex mutex;
  std::atomic<int> points = 0, writes = 0, syncs = 0;
  bool sync_failed = false;
  std::map<std::pair<dev_t, ino_t>, Changed> changed;
  std::vector<Renamed> renamed;
  int stashed = 0;
};
Disk* disk = nullptr;  // of an armed process

void fire(const char* where) {
  Shared* page = shared_page();
  if (page->fired.exchange(true)) return;
  ::strncpy(page->where, where, sizeof page->where - 1);
}

std::string path_of(int fd) {
  char link[64], path[4096];
  ::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = ::readlink(link, path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}
bool is_ours(std::string_view path) { return path.starts_with(disk->trap.root.native()); }
bool is_ours(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) &&
         is_ours(path_of(fd));
}

// ---- what is lost with the power

bool loses() {
  return disk->trap.fault == Fault::kPowerLoss || disk->trap.fault == Fault::kFailedSync;
}

void note_change(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return;
  const std::lock_guard lock(disk->mutex);
  Changed& file = disk->changed[{info.st_dev, info.st_ino}];
  if (file.fd >= 0) return;
  file.fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 100);
  file.durable = info.st_size;
}

void note_sync(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return;
  const std::lock_guard lock(disk->mutex);
  if (S_ISDIR(info.st_mode)) {
    const std::string folder = path_of(fd);
    std::erase_if(disk->renamed, [&](const Renamed& each) {
      return Path(each.to.empty() ? each.from : each.to).parent_path() == folder;
    });
    return;
  }
  const auto found = disk->changed.find({info.st_dev, info.st_ino});
  if (found == disk->changed.end()) return;
  ::close(found->second.fd);
  disk->changed.erase(found);
}

std::string keep(const char* path) {
  const std::string kept = (disk->trap.stash / std::to_string(disk->stashed++)).string();
  return ::link(path, kept.c_str()) == 0 ? kept : std::string();
}

[[noreturn]] void die() {
  if (loses()) {
    const std::lock_guard lock(disk->mutex);
    for (auto at = disk->renamed.rbegin(); at != disk->renamed.rend(); ++at) {
      if (!at->to.empty()) ::syscall(SYS_rename, at->to.c_str(), at->from.c_str());
      const std::string& place = at->to.empty() ? at->from : at->to;
      if (!at->kept.empty()) ::syscall(SYS_rename, at->kept.c_str(), place.c_str());
    }
    for (const auto& [inode, file] : disk->changed) ::syscall(SYS_ftruncate, file.fd, file.durable);
  }
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

// ---- when it happens

void at_point(const char* name) {
  if (disk->trap.fault != Fault::kKill && disk->trap.fault != Fault::kPowerLoss) return;
  if (++disk->points != disk->trap.at) return;
  fire(name);
  die();
}

// What a write, or a change to a folder, is answered.
int error_of_write() {
  const Fault fault = disk->trap.fault;
  if (fault != Fault::kFullDisk && fault != Fault::kReadOnly) return 0;
  const int count = ++disk->writes;
  if (count < disk->trap.at) return 0;
  fire("write");
  if (fault == Fault::kReadOnly) return EROFS;
  return count < disk->trap.at + kFullFor ? ENOSPC : 0;
}

// After a sync that failed, the kernel holds the bytes for written: nobody is told again.
int error_of_sync() {
  if (disk->trap.fault != Fault::kFailedSync) return 0;
  const int count = ++disk->syncs;
  if (count == disk->trap.at) {
    fire("sync");
    return EIO;
  }
  if (count > disk->trap.at + 3) die();
  return 0;
}

template <class Call>
auto with_disk(int fd, Call call) {
  if (disk != nullptr && is_ours(fd)) {
    if (const int error = error_of_write(); error != 0) return errno = error, decltype(call())(-1);
    if (loses()) note_change(fd);
  }
  return call();
}

int sync(long number, int fd) {
  if (disk == nullptr || !is_ours(fd)) return static_cast<int>(::syscall(number, fd));
  if (const int error = error_of_sync(); error != 0) return errno = error, -1;
  if (disk->trap.fault == Fault::kReadOnly && shared_page()->fired) return errno = EROFS, -1;
  if (loses()) {
    note_sync(fd);
    return 0;
  }
  return static_cast<int>(::syscall(number, fd));
}

int change_folder(const char* from, const char* to, const std::function<int()>& call) {
  if (disk == nullptr || !is_ours(from)) return call();
  if (const int error = error_of_write(); error == EROFS) return errno = error, -1;
  if (!loses()) return call();
  const std::lock_guard lock(disk->mutex);
  struct stat info {};
  if (to == nullptr && (::lstat(from, &info) != 0 || !S_ISREG(info.st_mode))) return call();
  Renamed made{from, to == nullptr ? "" : to, keep(to == nullptr ? from : to)};
  const int done = call();
  if (done == 0) disk->renamed.push_back(std::move(made));
  return done;
}

}  // namespace

std::string_view name_of(Fault fault) {
  constexpr std::string_view kNames[] = {"killed", "power lost", "sync fails", "disk full",
                                         "disk read-only"};
  return kNames[static_cast<int>(fault)];
}

void arm(const Trap& trap) {
  CHECK(disk == nullptr, "armed twice");
  disk = new Disk;
  disk->trap = trap;
  crash_hook = at_point;
}

Fired::Fired() {
  shared_page()->fired = false;
  std::memset(shared_page()->where, 0, sizeof shared_page()->where);
}
bool Fired::any() const { return shared_page()->fired; }
std::string Fired::where() const { return shared_page()->where; }

}  // namespace freshet::chaos

// ---- before libc's

using namespace freshet::chaos;

extern "C" {

ssize_t write(int fd, const void* bytes, size_t count) {
  return with_disk(fd,
                   [&] { return static_cast<ssize_t>(::syscall(SYS_write, fd, bytes, count)); });
}
ssize_t writev(int fd, const iovec* parts, int count) {
  return with_disk(fd,
                   [&] { return static_cast<ssize_t>(::syscall(SYS_writev, fd, parts, count)); });
}
ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  return with_disk(
      fd, [&] { return static_cast<ssize_t>(::syscall(SYS_pwrite64, fd, bytes, count, offset)); });
}
ssize_t pwrite64(int fd, const void* bytes, size_t count, off_t offset) {
  return pwrite(fd, bytes, count, offset);
}
int fsync(int fd) { return freshet::chaos::sync(SYS_fsync, fd); }
int fdatasync(int fd) { return freshet::chaos::sync(SYS_fdatasync, fd); }
int rename(const char* from, const char* to) noexcept {
  return change_folder(from, to, [&] { return static_cast<int>(::syscall(SYS_rename, from, to)); });
}
int unlink(const char* path) noexcept {
  return change_folder(path, nullptr,
                       [&] { return static_cast<int>(::syscall(SYS_unlink, path)); });
}
int remove(const char* path) noexcept {
  const int done = unlink(path);
  if (done == 0 || (errno != EISDIR && errno != EPERM)) return done;
  return static_cast<int>(::syscall(SYS_rmdir, path));
}
}
