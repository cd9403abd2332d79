#pragma once
// The folder of an authority: identity.key (its transport key and what hashes tokens), root.key
// (under a passphrase; better kept elsewhere), issuer-N/ (the keys of each issuer), journal/. One
// process holds it at a time.

#include "authority/office.h"
#include "base/files.h"
#include "storage/rocksdb_journal.h"

namespace freshet::authority {

inline Path issuer_folder(const Path& folder, std::uint32_t epoch) {
  return folder / ("issuer-" + std::to_string(epoch));
}

struct Premises {
  UniqueFd lock;
  std::unique_ptr<RocksdbJournal> journal;
  std::unique_ptr<Office> office;  // in office, unless no issuer was ever added
};

// kUnavailable: another process holds it. kBadInput: no authority is there (`make` false).
Result<Premises> open_premises(const Path& folder, Terms terms, bool make);

// The next issuer's keys, certified by the root.
struct NewIssuer {
  Identity identity;
  Bytes certificate;
};
Result<NewIssuer> make_issuer(const Path& folder, const Identity& root, std::uint32_t epoch,
                              std::int64_t now_s, std::int64_t valid_s);

}  // namespace freshet::authority
