#pragma once
// Bulk bytes by digest: adapters and updates as files FOLDER/<hex digest>. A blob is staged chunk
// by chunk, verified against its digest, made durable, and only then has its name. Memory use is
// one chunk. For one thread; one store a folder.
//
// With defer_to() a blob has its name first and is made durable with others by SyncGroup::commit().
// Whoever does that must sweep away, at the next start, blobs that nothing durable names.

#include <memory>

#include "base/files.h"
#include "storage/sync_group.h"

namespace freshet {

class BlobStore {
 public:
  // Removes what an earlier process left half staged, except complete chunks (a later upload goes
  // on from them).
  static Result<BlobStore> open(Path folder);
  void defer_to(SyncGroup& group) { group_ = &group; }  // which outlives the store
  void never_sync() { durable_ = false; }  // what is in it is dropped at the next start

  // Bytes already staged of this blob, from 0 on: where the next chunk belongs. == size when it is
  // stored.
  Result<std::uint64_t> staged_bytes(const Digest& digest, std::uint64_t size);
  // Writes a chunk at `offset`, which must equal staged_bytes(); a repeated earlier chunk is
  // ignored. The last chunk verifies, syncs and names the blob; kBadInput (and the staging is
  // dropped) when the digest differs.
  Result<std::uint64_t> stage(const Digest& digest, std::uint64_t size, std::uint64_t offset,
                              ByteView chunk);

  // Gives up an upload that will not be finished; no error when there is none.
  Result<void> drop_staged(const Digest& digest, std::uint64_t size);

  Result<Digest> put(ByteView bytes);
  bool has(const Digest& digest) const;
  Result<std::uint64_t> size_of(const Digest& digest) const;
  Result<Bytes> read(const Digest& digest, std::uint64_t offset,
                     std::size_t count) const;  // fewer at the end
  Result<MappedFile> map(const Digest& digest) const;
  Result<void> remove(const Digest& digest);  // no error when it is not there

 private:
  explicit BlobStore(Path folder) : folder_(std::move(folder)) {}
  Path path_of(const Digest& digest) const;
  Path staging_of(const Digest& digest, std::uint64_t size) const;
  Result<void> finish(const Digest& digest, std::uint64_t size, UniqueFd staged);
  Result<void> put_deferred(const Digest& digest, ByteView bytes);

  Path folder_;
  SyncGroup* group_ = nullptr;
  bool durable_ = true;
  std::size_t stagings_ = 0;  // unfinished uploads, at most limits::kStagingsMax
};

}  // namespace freshet
