#include "authority/registry.h"

#include <algorithm>

#include "base/limits.h"

namespace freshet::authority {
namespace {

constexpr std::int64_t kForgetAfterS = 24 * 3600;  // a certificate is over for everybody by then

tl::unexpected<Error> unfit(const std::string& what) {
  return fail(Code::kCorrupt, "the authority's journal does not fit together: " + what +
                                  "; restore the folder from a backup");
}

}  // namespace

Result<void> Registry::apply(const Record& record) {
  return std::visit([this](const auto& each) { return on(each); }, record);
}

Result<void> Registry::on(const Founded& record) {
  if (root_) return unfit("two roots");
  root_ = record.root;
  return {};
}

Result<void> Registry::on(const IssuerAdded& record) {
  TRY_ASSIGN(const Certificate certificate, read_certificate(record.certificate));
  if (!root_ || certificate.issuer != *root_ || certificate.role != Role::kIssuer)
    return unfit("an issuer that the root did not sign");
  if (!issuers_.empty() && certificate.epoch <= issuers_.back().certificate.epoch)
    return unfit("an issuer of an older epoch");
  if (record.revokes_others) {
    for (const Issuer& other : issuers_)
      killed_[other.certificate.device] = {Revocation::kRevoked, other.certificate.not_after_s};
  }
  issuers_.push_back({certificate, record.certificate});
  if (issuers_.size() > limits::kIssuersMax) issuers_.erase(issuers_.begin());
  return {};
}

Result<void> Registry::on(const ListHead& record) {
  if (record.serial <= list_.serial) return unfit("a revocation list whose serial does not rise");
  list_ = record;
  return {};
}

Result<void> Registry::on(const Invited& record) {
  if (!tokens_.emplace(record.token, Token{record, {}, {}}).second)
    return unfit("one token invited twice");
  return {};
}

Result<void> Registry::on(const Held& record) {
  const auto found = tokens_.find(record.token);
  if (found == tokens_.end() || found->second.device) return unfit("a party without a token");
  found->second.held = record.keys;
  return {};
}

Result<void> Registry::on(const Enrolled& record) {
  TRY_ASSIGN(const Certificate certificate, read_certificate(record.certificate));
  const auto found = tokens_.find(record.token);
  if (found == tokens_.end() || found->second.device)
    return unfit("a certificate without a token, or a token used twice");
  if (certificate.serial < next_serial_ || knows_any(certificate.keys))
    return unfit("a certificate whose serial or keys are not new");
  found->second.device = certificate.device;
  found->second.held.reset();
  know(certificate);
  parties_[certificate.device] = {
      found->second.terms.label, certificate, record.certificate, {}, false};
  return {};
}

Result<void> Registry::on(const Rotated& record) {
  TRY_ASSIGN(const Certificate certificate, read_certificate(record.certificate));
  const auto found = parties_.find(certificate.device);
  if (found == parties_.end() || found->second.revoked ||
      certificate.epoch != found->second.certificate.epoch + 1 ||
      certificate.serial < next_serial_ || knows_any(certificate.keys))
    return unfit("a rotation from nothing");
  TRY(on(record.list));
  Party& party = found->second;
  killed_[certificate.device] = {certificate.epoch, std::max(killed_[certificate.device].until_s,
                                                             party.certificate.not_after_s)};
  by_serial_.erase(party.certificate.serial);
  in_force_.erase(party.certificate.keys.transport);
  party.replaced = party.certificate.keys;
  party.certificate = certificate;
  party.bytes = record.certificate;
  know(certificate);
  return {};
}

Result<void> Registry::on(const Revoked& record) {
  const auto found = parties_.find(record.device);
  if (found == parties_.end()) return unfit("a revocation of nobody");
  TRY(on(record.list));
  Party& party = found->second;
  party.revoked = true;
  killed_[record.device] = {Revocation::kRevoked, std::max(killed_[record.device].until_s,
                                                           party.certificate.not_after_s)};
  in_force_.erase(party.certificate.keys.transport);
  by_serial_.erase(party.certificate.serial);
  return {};
}

void Registry::know(const Certificate& certificate) {
  keys_.emplace(certificate.keys.signing.bytes, certificate.device);
  keys_.emplace(certificate.keys.transport.bytes, certificate.device);
  keys_.emplace(certificate.keys.sealing.bytes, certificate.device);
  in_force_[certificate.keys.transport] = certificate.device;
  by_serial_[certificate.serial] = certificate.device;
  next_serial_ = certificate.serial + 1;
}

std::vector<Revocation> Registry::revocations(std::int64_t now_s) const {
  std::vector<Revocation> entries;
  for (const auto& [device, killed] : killed_)
    if (killed.until_s + kForgetAfterS >= now_s) entries.push_back({device, killed.least_epoch});
  return entries;
}

const Token* Registry::token(const Digest& hash) const {
  const auto found = tokens_.find(hash);
  return found == tokens_.end() ? nullptr : &found->second;
}

const Party* Registry::party(NodeId device) const {
  const auto found = parties_.find(device);
  return found == parties_.end() ? nullptr : &found->second;
}

const Party* Registry::party_of(const TransportPublic& key) const {
  const auto found = in_force_.find(key);
  return found == in_force_.end() ? nullptr : party(found->second);
}

const Party* Registry::party_of(const SigningPublic& key) const {
  const auto found = keys_.find(key.bytes);
  return found == keys_.end() ? nullptr : party(found->second);
}

bool Registry::knows_any(const PublicIdentity& keys) const {
  return keys_.contains(keys.signing.bytes) || keys_.contains(keys.transport.bytes) ||
         keys_.contains(keys.sealing.bytes) || parties_.contains(keys.id());
}

std::vector<const Party*> Registry::after(std::uint64_t after, Role role,
                                          std::size_t count_max) const {
  std::vector<const Party*> parties;
  for (auto at = by_serial_.upper_bound(after);
       at != by_serial_.end() && parties.size() < count_max; ++at) {
    const Party* each = party(at->second);
    if (each->certificate.role == role) parties.push_back(each);
  }
  return parties;
}

const Party* Registry::coordinator() const {
  for (auto at = by_serial_.rbegin(); at != by_serial_.rend(); ++at)
    if (const Party* each = party(at->second); each->certificate.role == Role::kCoordinator)
      return each;
  return nullptr;
}

}  // namespace freshet::authority
