#pragma once
// A Journal in memory that fails when told to, at either side of the point where a write becomes
// durable, and can crash and be opened again. For tests and simulation.

#include <vector>

#include "storage/journal.h"

namespace freshet {

class MemoryJournal final : public Journal {
 public:
  enum class Fault {
    kLost,  // the write fails and leaves nothing
    kKept,  // the write is durable, but its caller is told that it failed
  };

  Result<std::uint64_t> append(ByteView entry) override;
  Result<void> replay(std::uint64_t first,
                      const std::function<Result<void>(std::uint64_t, ByteView)>& each) override;
  Result<void> write_snapshot(ByteView state) override;
  Result<std::optional<Snapshot>> latest_snapshot() override;

  // The n-th write from now on (1: the next) fails so. As with a disk, every write after it fails
  // too, until crash().
  void fail_write(std::uint64_t n, Fault fault);
  // The process dies and opens the journal again: what was durable is there, and writes work.
  void crash();

 private:
  enum class Outcome { kWritten, kLost, kKept };
  Outcome next_outcome();

  std::uint64_t first_ = 0;  // sequence of entries_[0]
  std::vector<Bytes> entries_;
  std::optional<Snapshot> snapshot_;
  std::uint64_t writes_until_fault_ = 0;  // 0: none is planned
  Fault fault_ = Fault::kLost;
  bool failed_ = false;
};

}  // namespace freshet
