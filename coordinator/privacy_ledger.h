#pragma once
// A campaign's privacy ledger on disk: charged, durably, before a sum is opened. A campaign ends
// where its next round would pass its budget.

#include "aggregation/privacy/ledger.h"
#include "storage/record_file.h"

namespace freshet {

class PrivacyLedger {
 public:
  // Errors of RecordFile::open(); a budget other than the file's last is written down.
  static Result<PrivacyLedger> open(const Path& file, const Budget& budget);
  // Durable when this returns; the sum may then be opened. Free for a charge that was made before.
  // Errors of Ledger::admit() and RecordFile::append().
  Result<Spent> charge(const Charge& charge);
  const Ledger& ledger() const { return ledger_; }

 private:
  PrivacyLedger(RecordFile file, Ledger ledger)
      : file_(std::move(file)), ledger_(std::move(ledger)) {}
  Result<void> write(const Bytes& record);
  RecordFile file_;
  Ledger ledger_;
};

}  // namespace freshet
