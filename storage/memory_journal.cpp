#include "storage/memory_journal.h"

#include "base/check.h"

namespace freshet {
namespace {

tl::unexpected<Error> planned_fault() {
  return fail(Code::kNoSpace, "the journal takes no more entries (a planned fault)");
}

}  // namespace

MemoryJournal::Outcome MemoryJournal::next_outcome() {
  if (failed_) return Outcome::kLost;
  if (writes_until_fault_ == 0 || --writes_until_fault_ > 0) return Outcome::kWritten;
  failed_ = true;
  return fault_ == Fault::kLost ? Outcome::kLost : Outcome::kKept;
}

Result<std::uint64_t> MemoryJournal::append(ByteView entry) {
  const Outcome outcome = next_outcome();
  if (outcome != Outcome::kLost) entries_.push_back(to_bytes(entry));
  if (outcome != Outcome::kWritten) return planned_fault();
  return first_ + entries_.size() - 1;
}

Result<void> MemoryJournal::replay(
    std::uint64_t first, const std::function<Result<void>(std::uint64_t, ByteView)>& each) {
  if (first < first_) return fail(Code::kCorrupt, "the journal begins after the entry asked for");
  for (std::uint64_t sequence = first; sequence < first_ + entries_.size(); ++sequence)
    TRY(each(sequence, entries_[sequence - first_]));
  return {};
}

Result<void> MemoryJournal::write_snapshot(ByteView state) {
  const Outcome outcome = next_outcome();
  if (outcome != Outcome::kLost) {
    first_ += entries_.size();
    entries_.clear();
    snapshot_ = Snapshot{first_, to_bytes(state)};
  }
  if (outcome != Outcome::kWritten) return planned_fault();
  return {};
}

Result<std::optional<Snapshot>> MemoryJournal::latest_snapshot() { return snapshot_; }

void MemoryJournal::fail_write(std::uint64_t n, Fault fault) {
  CHECK(n > 0);
  writes_until_fault_ = n;
  fault_ = fault;
}

void MemoryJournal::crash() {
  failed_ = false;
  writes_until_fault_ = 0;
}

}  // namespace freshet
