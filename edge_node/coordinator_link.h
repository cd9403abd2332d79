#pragma once
// A node's line to its coordinator: messages go out as signed frames, kept for a while when the
// line is down or full; frames come in as messages once the pinned key has signed them and the
// sequence rises. Counts every byte handed to or taken from the transport, and can keep a copy of
// everything that was sent.

#include <deque>
#include <optional>

#include "base/clock.h"
#include "base/files.h"
#include "protocol/messages.h"
#include "transport/transport.h"

namespace freshet {

class CoordinatorLink {
 public:
  struct Options {
    PublicIdentity coordinator;  // pinned
    Path record;                 // empty: nothing is kept
  };
  CoordinatorLink(Transport& transport, const Identity& identity, Options options);

  Result<void> send(const NodeMessage& message, Instant now);
  void flush(Instant now);
  bool waits() const { return !outbox_.empty(); }
  // The next message of the coordinator. Frames that are not its own are counted and dropped.
  Result<std::optional<CoordinatorMessage>> receive();
  void forget_sequence() {
    received_ = 0;
  }  // the coordinator may be another process, with another clock

  // Beside the frames: the plain content of something that was sealed before it was sent.
  Result<void> record(std::string_view name, ByteView plain) const;

  std::uint64_t bytes_up() const { return bytes_up_; }
  std::uint64_t bytes_down() const { return bytes_down_; }

 private:
  struct Waiting {
    Bytes frame;
    Instant since;
  };
  bool hand_over(ByteView frame);
  Transport& transport_;
  const Identity& identity_;
  Options options_;
  std::deque<Waiting> outbox_;
  std::uint64_t sequence_, received_ = 0, recorded_ = 0, bad_frames_ = 0;
  std::uint64_t bytes_up_ = 0, bytes_down_ = 0;
};

}  // namespace freshet
