#pragma once
// A party's privacy ledger on disk: charged, durably, before what the charge is for. A campaign's
// before a sum is opened; a node's own, over all campaigns, before the first byte of a contribution
// leaves, since it cannot know whether its sum is opened; one of examples before they are trained
// on.

#include <optional>

#include "aggregation/privacy/ledger.h"
#include "storage/record_file.h"

namespace freshet {

std::string_view ledger_kind(Ledger::Owner owner);  // of its file

class LedgerFile {
 public:
  // A budget other than the file's last is written down; without one the file's own holds:
  // kBadInput where it has none. Errors of RecordFile::open().
  static Result<LedgerFile> open(const Path& file, Ledger::Owner owner,
                                 const std::optional<Budget>& budget);

  // Durable when this returns. Free for a charge that was made before. A node's ledger does not
  // look at the sampling rate: the coordinator knows who takes part. Errors of Ledger::admit() and
  // RecordFile::append().
  Result<Spent> charge(Charge charge);
  const Ledger& ledger() const { return ledger_; }

 private:
  LedgerFile(RecordFile file, Ledger ledger) : file_(std::move(file)), ledger_(std::move(ledger)) {}
  Result<void> write(const Bytes& record);

  RecordFile file_;
  Ledger ledger_;
};

}  // namespace freshet
