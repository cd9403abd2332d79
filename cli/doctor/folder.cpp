#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <chrono>

#include "cli/doctor/finding.h"

namespace freshet::doctor {
namespace {

constexpr std::uint64_t kRoomPoor = std::uint64_t{2} << 30, kRoomBad = std::uint64_t{50} << 20;
constexpr double kSlowWriteMs = 200;

Finding ownership(const Path& folder, const struct stat& info) {
  if (info.st_uid != ::geteuid())
    return {"folder",
            fmt::format("{} belongs to user {}, this is user {}", folder.string(), info.st_uid,
                        ::geteuid()),
            State::kBad,
            "run this as the user of the daemon: `sudo -u freshet-node freshet doctor ...`"};
  if ((info.st_mode & 077) != 0)
    return {"folder", folder.string() + " is open to other users", State::kBad,
            "chmod 700 " + folder.string()};
  return {"folder", folder.string() + " is this user's alone", State::kGood, ""};
}

Finding keys(const Path& folder) {
  int found = 0;
  for (const char* name : {"identity.key", "seal.key", "root.key"}) {
    const Path path = folder / name;
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) continue;
    ++found;
    if (!S_ISREG(info.st_mode))
      return {"keys", path.string() + " is no plain file", State::kBad,
              "put the file itself in its place"};
    if ((info.st_mode & 077) != 0 || info.st_uid != ::geteuid())
      return {"keys", path.string() + " can be read by others", State::kBad,
              "take the keys for known to others: `freshet node rotate`; then chmod 600 " +
                  path.string()};
  }
  if (found == 0)
    return {"keys", "none yet", State::kPoor,
            "join a fleet: `freshet node join TOKEN`, `freshet coordinator join TOKEN`"};
  return {"keys", fmt::format("{} key files, private", found), State::kGood, ""};
}

Finding room(const Path& folder) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0)
    return {"room", errno_error("cannot look at", folder).what, State::kBad, "look at the disk"};
  const std::uint64_t free = std::uint64_t{info.f_bavail} * info.f_frsize;
  const std::string says = fmt::format("{} MB free", free / 1'000'000);
  if (free < kRoomBad)
    return {"room", says, State::kBad, "free some: uploads stop when the disk is full"};
  if (free < kRoomPoor)
    return {"room", says, State::kPoor, "a round of a large fleet takes more: free some"};
  return {"room", says, State::kGood, ""};
}

Finding durable_write(const Path& folder) {
  using Time = std::chrono::steady_clock;
  const Path probe = folder / ".doctor.tmp";
  const Bytes block(1 << 20, 0x5a);
  const auto begin = Time::now();
  const Result<void> written = write_file_durably(probe, block, 0600);
  const double ms = std::chrono::duration<double, std::milli>(Time::now() - begin).count();
  ::unlink(probe.c_str());
  if (!written)
    return {"disk", written.error().what, State::kBad,
            "look at the disk and at the folder's rights"};
  const std::string says = fmt::format("1 MB is durable in {:.0f} ms", ms);
  if (ms <= kSlowWriteMs) return {"disk", says, State::kGood, ""};
  return {"disk", says + ": every upload waits for that", State::kPoor,
          "use a disk of the machine, not of the network"};
}

}  // namespace

Findings look_at_folder(const Path& folder) {
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    return {{"folder", folder.string() + " is no folder", State::kBad,
             "make one: `freshet node init --dir " + folder.string() + "`, or name the right one"}};
  Findings findings{ownership(folder, info), keys(folder), room(folder)};
  if (findings.front().state == State::kGood) findings.push_back(durable_write(folder));
  return findings;
}

}  // namespace freshet::doctor
