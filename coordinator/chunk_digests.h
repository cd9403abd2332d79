#pragma once
// The digests of one blob's chunks, as they were read the first time: every node of a fleet fetches
// the same adapter, and each chunk is signed for each of them.

#include <optional>
#include <vector>

#include "base/limits.h"
#include "crypto/digest.h"

namespace freshet {

class ChunkDigests {
 public:
  // REQUIRES: `chunk` is what the blob holds at `offset`, to its end or to a chunk's.
  const Digest& of(const Digest& blob, std::uint64_t offset, ByteView chunk) {
    if (blob != blob_) digests_.clear();
    blob_ = blob;
    const std::size_t index = offset / limits::kChunkBytes;
    if (offset % limits::kChunkBytes != 0) return odd_ = digest_of(chunk);
    if (digests_.size() <= index) digests_.resize(index + 1);
    if (!digests_[index]) digests_[index] = digest_of(chunk);
    return *digests_[index];
  }

 private:
  Digest blob_{}, odd_{};
  std::vector<std::optional<Digest>> digests_;
};

}  // namespace freshet
