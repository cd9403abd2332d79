#include "model/process/trainer_frame.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "base/check.h"
#include "base/limits.h"

namespace freshet {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
constexpr unsigned kNoExecSeal = 8;  // MFD_NOEXEC_SEAL, Linux 6.3

// Room for the descriptors of one frame.
struct Control {
  alignas(
      cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * limits::kTrainerFrameFilesMax)> bytes{};
};

void put_descriptors(msghdr& message, Control& control, const std::vector<UniqueFd>& fds) {
  const std::size_t size = sizeof(int) * fds.size();
  message.msg_control = control.bytes.data();
  message.msg_controllen = CMSG_SPACE(size);
  cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(size);
  for (std::size_t i = 0; i < fds.size(); ++i) {
    const int fd = fds[i].get();
    std::memcpy(CMSG_DATA(part) + i * sizeof(int), &fd, sizeof fd);
  }
}

std::vector<UniqueFd> take_descriptors(msghdr& message) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

bool gone(int number) { return number == EPIPE || number == ECONNRESET || number == ENOTCONN; }

bool full(int number) { return number == EAGAIN || number == ENOBUFS || number == ETOOMANYREFS; }

Result<UniqueFd> memory_file() {
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd fd(::memfd_create("freshet-vector", flags | kNoExecSeal));
  if (!fd && errno == EINVAL) fd = UniqueFd(::memfd_create("freshet-vector", flags));
  if (!fd) return tl::unexpected(errno_error("cannot make", "a memory file"));
  return fd;
}

Result<void> check_sealed(const UniqueFd& fd, std::size_t bytes) {
  struct stat info {};
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals || ::fstat(fd.get(), &info) != 0)
    return fail(Code::kBadInput, "a vector came in something else than a sealed memory file");
  if (static_cast<std::uint64_t>(info.st_size) != bytes)
    return fail(Code::kBadInput, "a vector of " + std::to_string(bytes) +
                                     " bytes was announced, but its file has " +
                                     std::to_string(info.st_size));
  return {};
}

}  // namespace

Result<bool> send_frame(int socket, const TrainerFrame& frame, bool wait) {
  CHECK(frame.header.size() <= limits::kTrainerHeaderBytesMax && !frame.header.empty(), "{} bytes",
        frame.header.size());
  CHECK(frame.fds.size() <= limits::kTrainerFrameFilesMax, "{} descriptors", frame.fds.size());
  iovec part{const_cast<char*>(frame.header.data()), frame.header.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  Control control;
  if (!frame.fds.empty()) put_descriptors(message, control, frame.fds);
  for (;;) {
    if (::sendmsg(socket, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT)) >= 0) return true;
    if (errno == EINTR) continue;
    if (gone(errno))
      return fail(Code::kUnavailable, "the other side of the trainer's socket is gone");
    if (full(errno) && !wait) return false;
    return tl::unexpected(errno_error("cannot send over", "the trainer's socket"));
  }
}

Result<ReceivedFrame> receive_frame(int socket, bool wait) {
  std::string buffer(limits::kTrainerHeaderBytesMax, '\0');
  iovec part{buffer.data(), buffer.size()};
  Control control;
  for (;;) {
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    const ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    // A reset is told once, before the frames that were sent earlier.
    if (got < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
    if (got < 0 && errno == EAGAIN) return ReceivedFrame{ReceivedFrame::Kind::kNothing, {}};
    if (got < 0) {
      Error error = errno_error("cannot receive from", "the trainer's socket");
      error.code = Code::kUnavailable;
      return tl::unexpected(std::move(error));
    }
    std::vector<UniqueFd> fds = take_descriptors(message);
    if (got == 0) return ReceivedFrame{ReceivedFrame::Kind::kEnd, {}};
    if ((message.msg_flags & MSG_TRUNC) != 0)
      return fail(Code::kBadInput,
                  "a trainer frame over " + std::to_string(buffer.size()) + " bytes");
    if ((message.msg_flags & MSG_CTRUNC) != 0)
      return fail(Code::kBadInput,
                  "a trainer frame carried more descriptors than may be open here (raise the "
                  "limit: ulimit -n)");
    buffer.resize(static_cast<std::size_t>(got));
    return ReceivedFrame{ReceivedFrame::Kind::kFrame, {std::move(buffer), std::move(fds)}};
  }
}

Result<UniqueFd> sealed_vector(const std::vector<float>& values) {
  if (values.size() > limits::kVectorEntriesMax)
    return fail(Code::kBadInput,
                "a vector of " + std::to_string(values.size()) + " entries is over the limit");
  TRY_ASSIGN(UniqueFd fd, memory_file());
  TRY(write_all(fd.get(), as_bytes(std::span<const float>(values)), "a memory file"));
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals | F_SEAL_SEAL) != 0)
    return tl::unexpected(errno_error("cannot seal", "a memory file"));
  return fd;
}

Result<std::vector<float>> open_sealed_vector(const UniqueFd& fd, std::size_t entries) {
  if (entries > limits::kVectorEntriesMax)
    return fail(Code::kBadInput,
                "a vector of " + std::to_string(entries) + " entries is over the limit");
  const std::size_t bytes = entries * sizeof(float);
  TRY(check_sealed(fd, bytes));
  std::vector<float> values;
  try {
    values.resize(entries);
  } catch (const std::bad_alloc&) {
    return fail(Code::kNoSpace,
                "no memory for a vector of " + std::to_string(entries) + " entries");
  }
  auto* to = reinterpret_cast<char*>(values.data());
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got = ::pread(fd.get(), to + done, bytes - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return tl::unexpected(errno_error("cannot read", "a memory file"));
    done += static_cast<std::size_t>(got);
  }
  return values;
}

}  // namespace freshet
