#pragma once
// How much of a transfer is under way: chunks from the first that is not acknowledged on, as many
// as the other side has given credit for. The line keeps their order, so what is missing after a
// reconnection is everything behind the last acknowledgement, and one chunk sent again asks where
// that is. Where chunks are asked for, being asked for is being sent, and being here acknowledged.
// Pure; part of the session's and the masked round's state.

#include <cstdint>
#include <vector>

namespace freshet {

struct ChunkWindow {
  std::uint64_t acked = 0;   // all before it is staged on the other side
  std::uint64_t sent = 0;    // all before it has left, unless it was lost
  std::uint32_t credit = 1;  // chunks beyond `acked` that the other side takes
  bool asked = false;        // one chunk was sent again, and nothing came of it yet

  // Offsets of the chunks that may leave now; they count as sent.
  std::vector<std::uint64_t> next(std::uint64_t size);
  // False: nothing moved. REQUIRES: offset <= size.
  bool take_ack(std::uint64_t offset, std::uint32_t new_credit, std::uint64_t size);
  // Nothing was heard for a while: the offset to send again. The second time in a row, what was
  // sent behind it counts as lost.
  std::uint64_t ask_again(std::uint64_t size);
  void connection_lost() { sent = acked; }

  bool operator==(const ChunkWindow&) const = default;
};

}  // namespace freshet
