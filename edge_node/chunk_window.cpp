#include "edge_node/chunk_window.h"

#include <algorithm>

#include "base/limits.h"

namespace freshet {

std::vector<std::uint64_t> ChunkWindow::next(std::uint64_t size) {
  const std::uint64_t chunks = std::clamp<std::uint64_t>(credit, 1, limits::kChunkCreditMax);
  const std::uint64_t until = std::min(size, acked + chunks * limits::kChunkBytes);
  std::vector<std::uint64_t> offsets;
  for (sent = std::max(sent, acked); sent < until;
       sent = std::min<std::uint64_t>(size, sent + limits::kChunkBytes))
    offsets.push_back(sent);
  return offsets;
}

bool ChunkWindow::take_ack(std::uint64_t offset, std::uint32_t new_credit, std::uint64_t size) {
  const bool granted = new_credit > credit;
  credit = std::clamp<std::uint32_t>(new_credit, 1, limits::kChunkCreditMax);
  if (offset == acked) return granted;
  const bool whole =
      offset == size || (offset > acked && (offset - acked) % limits::kChunkBytes == 0);
  acked = offset;
  // It lost what it had staged, or counts other chunks than we sent: from there on, then.
  if (!whole || sent < acked) sent = acked;
  asked = false;
  return true;
}

std::uint64_t ChunkWindow::ask_again(std::uint64_t size) {
  if (asked || sent <= acked) sent = std::min<std::uint64_t>(size, acked + limits::kChunkBytes);
  asked = true;
  return acked;
}

}  // namespace freshet
