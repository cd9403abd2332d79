#include "coordinator/privacy_ledger.h"

namespace freshet {

Result<PrivacyLedger> PrivacyLedger::open(const Path& file, const Budget& budget) {
  Ledger ledger(Ledger::Owner::kCampaign);
  TRY_ASSIGN(RecordFile records, RecordFile::open(file, kCampaignLedger, [&](ByteView record) {
               return ledger.take(record);
             }));
  PrivacyLedger opened(std::move(records), std::move(ledger));
  TRY(opened.write(opened.ledger_.record_of(budget)));
  return opened;
}

Result<Spent> PrivacyLedger::charge(const Charge& charge) {
  TRY_ASSIGN(const Bytes record, ledger_.admit(charge));
  TRY(write(record));
  return ledger_.spent();
}

Result<void> PrivacyLedger::write(const Bytes& record) {
  if (record.empty()) return {};
  TRY(file_.append(record));
  return ledger_.take(record);
}

}  // namespace freshet
