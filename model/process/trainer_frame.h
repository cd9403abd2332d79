#pragma once
// One frame between a daemon and its trainer: a header of text and open descriptors, sent whole
// over a socket of kind AF_UNIX, SOCK_SEQPACKET. And vectors of floats as sealed memory files,
// which cost a page table instead of a copy through the socket and cannot change or shrink under
// the one who reads them.

#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace freshet {

struct TrainerFrame {
  std::string header;
  std::vector<UniqueFd> fds;
};

// False: the socket is full and nothing was sent; only without `wait`. kUnavailable: the other side
// is gone.
Result<bool> send_frame(int socket, const TrainerFrame& frame, bool wait);

struct ReceivedFrame {
  enum class Kind {
    kFrame,
    kNothing,
    kEnd
  } kind;  // kNothing only without `wait`; kEnd: the other side is gone
  TrainerFrame frame;
};
// kBadInput for a frame over the limits (its descriptors are closed; the next frame can be
// received).
Result<ReceivedFrame> receive_frame(int socket, bool wait);

// A memory file with these entries that nobody can write, shrink or grow.
Result<UniqueFd> sealed_vector(const std::vector<float>& values);

// kBadInput unless `fd` is a sealed memory file of exactly `entries` floats.
Result<std::vector<float>> open_sealed_vector(const UniqueFd& fd, std::size_t entries);

}  // namespace freshet
