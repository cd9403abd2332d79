#pragma once
// A privacy ledger as people and other accountants read it.

#include <string>

#include "aggregation/privacy/ledger.h"
#include "base/files.h"
#include "base/json_fwd.h"

namespace freshet {

struct LedgerReport {
  Ledger::Owner owner;
  Ledger ledger;
};

// Of a campaign or of a node, whichever the file is. Errors of read_records().
Result<LedgerReport> read_ledger(const Path& file);

// Every charge with all that its epsilon follows from, and the sums by both accountants, with and
// without amplification by sampling.
Json to_json(const LedgerReport& report);
std::string to_text(const LedgerReport& report);

}  // namespace freshet
