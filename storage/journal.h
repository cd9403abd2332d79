#pragma once
// The durable memory of a state machine: entries in order, and a snapshot that stands for all
// entries before it. After a write that failed every later write fails too, until the journal is
// opened again: what the caller holds in memory and what is durable may differ by that one entry,
// which replay settles. RocksDB in a daemon (rocksdb_journal.h), memory with injectable faults in
// tests and simulation (memory_journal.h).

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/result.h"

namespace freshet {

struct Snapshot {
  std::uint64_t next_sequence;  // entries below are contained in it
  Bytes state;
};

class Journal {
 public:
  virtual ~Journal() = default;
  // Returns when the entry is durable. Sequences start at 0 and rise by one.
  virtual Result<std::uint64_t> append(ByteView entry) = 0;
  // The same for several, which may become durable together. An error leaves any first part of them.
  virtual Result<void> append_all(std::span<const Bytes> entries) {
    for (const Bytes& entry : entries) TRY(append(entry));
    return {};
  }
  // Calls for every entry from `first` on, in order; stops at the first error and returns it.
  // kCorrupt on a gap.
  virtual Result<void> replay(std::uint64_t first,
                              const std::function<Result<void>(std::uint64_t, ByteView)>& each) = 0;
  // Durable, and drops the entries it stands for.
  virtual Result<void> write_snapshot(ByteView state) = 0;
  virtual Result<std::optional<Snapshot>> latest_snapshot() = 0;
};

}  // namespace freshet
