#pragma once
// The Journal of a daemon, in one RocksDB of a few small files: synced writes, little memory, no
// log of its own. One process a folder. For one thread.

#include <memory>

#include "base/files.h"
#include "storage/journal.h"

namespace freshet {

class RocksdbJournal final : public Journal {
 public:
  // Makes the folder when it is not there. kUnavailable when another process has it open, kCorrupt
  // when what is there does not verify, kNoSpace on a full disk.
  static Result<std::unique_ptr<RocksdbJournal>> open(const Path& folder);
  ~RocksdbJournal() override;

  Result<std::uint64_t> append(ByteView entry) override;
  Result<void> append_all(std::span<const Bytes> entries) override;
  Result<void> replay(std::uint64_t first,
                      const std::function<Result<void>(std::uint64_t, ByteView)>& each) override;
  Result<void> write_snapshot(ByteView state) override;
  Result<std::optional<Snapshot>> latest_snapshot() override;

 private:
  struct State;
  explicit RocksdbJournal(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace freshet
