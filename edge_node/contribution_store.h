#pragma once
// What a node learned, kept until it is called: the clipped update sealed at rest under the node's
// storage key, and beside it what was sealed for a round. Durable when put() returns; one
// contribution at a time. A restarted node finds it and trains nothing twice.

#include <optional>

#include "aggregation/updates.h"
#include "base/files.h"
#include "crypto/secret.h"
#include "edge_node/session.h"
#include "storage/sync_group.h"

namespace freshet {

class ContributionStore {
 public:
  static Result<ContributionStore> open(Path folder, const Secret& storage);

  // Replaces what was there, which starts from a version that nobody will ask for again. kCorrupt: a
  // disk that does not take it, and is not full.
  Result<session::Contribution> put(const session::Base& base, const ClippedUpdate& update);
  Result<ClippedUpdate> get(const session::Contribution& contribution) const;

  Result<session::Upload> put_upload(RoundId round, ByteView sealed);
  Result<void> commit() { return unsynced_.commit(); }  // makes the upload durable, while it leaves
  Result<MappedFile> map_upload(const session::Upload& upload) const;
  static ByteView sealed_part(const MappedFile& upload);  // what was put

  // What an earlier process left. A file that does not open is removed: the node trains again.
  struct Kept {
    std::optional<session::Contribution> contribution;
    std::optional<session::Upload> upload;
  };
  Result<Kept> kept();
  Result<void> remove();  // both

 private:
  ContributionStore(Path folder, Secret storage)
      : folder_(std::move(folder)), storage_(std::move(storage)) {}
  struct Stored;
  Result<Stored> load() const;
  Path update_file() const { return folder_ / "contribution.sealed"; }
  Path upload_file() const { return folder_ / "upload.sealed"; }
  Path folder_;
  SyncGroup unsynced_;
  Secret storage_;
};

}  // namespace freshet
