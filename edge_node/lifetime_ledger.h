#pragma once
// What a node has spent of its people's privacy over all campaigns: charged, durably, before the
// first byte of a contribution leaves, since the node cannot know whether its sum is opened. No
// amplification by sampling: the coordinator knows who takes part.

#include "aggregation/privacy/ledger.h"
#include "storage/record_file.h"

namespace freshet {

class LifetimeLedger {
 public:
  // `budget` is of the node's own policy. Errors of RecordFile::open().
  static Result<LifetimeLedger> open(const Path& file, const Budget& budget);
  // Durable when this returns. The charge's sampling rate is not looked at. Free for a charge that
  // was made before. Errors of Ledger::admit() and RecordFile::append().
  Result<Spent> charge(Charge charge);
  const Ledger& ledger() const { return ledger_; }

 private:
  LifetimeLedger(RecordFile file, Ledger ledger)
      : file_(std::move(file)), ledger_(std::move(ledger)) {}
  Result<void> write(const Bytes& record);
  RecordFile file_;
  Ledger ledger_;
};

}  // namespace freshet
