#include "authority/premises.h"

namespace freshet::authority {

Result<Premises> open_premises(const Path& folder, Terms terms, bool make) {
  std::error_code error;
  if (!make && !std::filesystem::exists(folder / "journal", error))
    return fail(Code::kBadInput, "no authority is in " + folder.string() +
                                     "; make one with: freshet authority init --dir " +
                                     folder.string());
  TRY(make_folders(folder, 0700));
  Premises premises;
  TRY_ASSIGN(premises.lock, lock_folder(folder));
  TRY_ASSIGN(KeyRing own, load_or_make_keys(folder));
  TRY_ASSIGN(premises.journal, RocksdbJournal::open(folder / "journal"));
  TRY_ASSIGN(premises.office, Office::open(*premises.journal, std::move(own), terms));
  const auto& issuers = premises.office->registry().issuers();
  if (issuers.empty() && !make)
    return fail(Code::kBadInput, "the authority in " + folder.string() +
                                     " was not finished; run `freshet authority init` again");
  if (issuers.empty()) return premises;
  TRY_ASSIGN(KeyRing issuer,
             load_or_make_keys(issuer_folder(folder, issuers.back().certificate.epoch)));
  TRY(premises.office->take_office(std::move(issuer.identity)));
  return premises;
}

Result<NewIssuer> make_issuer(const Path& folder, const Identity& root, std::uint32_t epoch,
                              std::int64_t now_s, std::int64_t valid_s) {
  TRY_ASSIGN(KeyRing keys, load_or_make_keys(issuer_folder(folder, epoch)));
  Certificate certificate;
  certificate.role = Role::kIssuer;
  certificate.serial = epoch;
  certificate.device = keys.identity.open.id();
  certificate.keys = keys.identity.open;
  certificate.not_before_s = certificate.enrolled_s = now_s;
  certificate.not_after_s = now_s + valid_s;
  certificate.epoch = epoch;
  certificate.capabilities = capabilities_of(Role::kIssuer);
  certificate.issuer = root.open.signing;
  Bytes bytes = issue(certificate, root);
  return NewIssuer{std::move(keys.identity), std::move(bytes)};
}

}  // namespace freshet::authority
