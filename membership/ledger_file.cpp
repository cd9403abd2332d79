#include "membership/ledger_file.h"

namespace freshet {

std::string_view ledger_kind(Ledger::Owner owner) {
  switch (owner) {
    case Ledger::Owner::kCampaign: return kCampaignLedger;
    case Ledger::Owner::kNode: return kLifetimeLedger;
    case Ledger::Owner::kExamples: break;
  }
  return kExampleLedger;
}

Result<LedgerFile> LedgerFile::open(const Path& file, Ledger::Owner owner,
                                    const std::optional<Budget>& budget) {
  Ledger ledger(owner);
  TRY_ASSIGN(RecordFile records, RecordFile::open(file, ledger_kind(owner), [&](ByteView record) {
               return ledger.take(record);
             }));
  LedgerFile opened(std::move(records), std::move(ledger));
  if (budget) TRY(opened.write(opened.ledger_.record_of(*budget)));
  if (opened.ledger_.budget().epsilon == 0)
    return fail(Code::kBadInput, file.string() + ": a new privacy ledger needs a budget");
  return opened;
}

Result<Spent> LedgerFile::charge(Charge charge) {
  if (ledger_.owner() == Ledger::Owner::kNode) charge.sampling_rate = 1;
  TRY_ASSIGN(const Bytes record, ledger_.admit(charge));
  TRY(write(record));
  return ledger_.spent();
}

Result<void> LedgerFile::write(const Bytes& record) {
  if (record.empty()) return {};
  TRY(file_.append(record));
  return ledger_.take(record);
}

}  // namespace freshet
