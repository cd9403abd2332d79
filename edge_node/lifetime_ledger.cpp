#include "edge_node/lifetime_ledger.h"

namespace freshet {

Result<LifetimeLedger> LifetimeLedger::open(const Path& file, const Budget& budget) {
  Ledger ledger(Ledger::Owner::kNode);
  TRY_ASSIGN(RecordFile records, RecordFile::open(file, kLifetimeLedger, [&](ByteView record) {
               return ledger.take(record);
             }));
  LifetimeLedger opened(std::move(records), std::move(ledger));
  TRY(opened.write(opened.ledger_.record_of(budget)));
  return opened;
}

Result<Spent> LifetimeLedger::charge(Charge charge) {
  charge.sampling_rate = 1;
  TRY_ASSIGN(const Bytes record, ledger_.admit(charge));
  TRY(write(record));
  return ledger_.spent();
}

Result<void> LifetimeLedger::write(const Bytes& record) {
  if (record.empty()) return {};
  TRY(file_.append(record));
  return ledger_.take(record);
}

}  // namespace freshet
