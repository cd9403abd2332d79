#include "membership/directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"

namespace freshet::membership {
namespace {

constexpr char kDirectoryName[] = "directory.certificates";

Result<void> append_durably(const Path& file, ByteView bytes) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd) return tl::unexpected(errno_error("cannot open", file));
  TRY(write_all(fd.get(), bytes, file));
  if (::fsync(fd.get()) != 0) return tl::unexpected(errno_error("cannot save", file));
  return {};
}

bool is_of(const Trust& trust, const Certificate& certificate) {
  return certificate.role == Role::kNode &&
         std::any_of(trust.issuers.begin(), trust.issuers.end(), [&](const Issuer& issuer) {
           return issuer.certificate.keys.signing == certificate.issuer;
         });
}

}  // namespace

Directory::Directory(Path file, std::shared_ptr<TrustStore> trust)
    : file_(std::move(file)), trust_(std::move(trust)) {}

Result<std::shared_ptr<Directory>> Directory::open(const Path& folder,
                                                   std::shared_ptr<TrustStore> trust) {
  const Path file = folder / kDirectoryName;
  std::shared_ptr<Directory> directory(new Directory(file, trust));
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return directory;
  TRY_ASSIGN(const std::string text,
             read_file(file, limits::kCertificatesMax * 2 * kCertificateBytes));
  const ByteView all = as_bytes(text);
  const auto believed = trust->trust();
  std::size_t good = 0;
  for (; good + kCertificateBytes <= all.size(); good += kCertificateBytes) {
    const ByteView bytes = all.subspan(good, kCertificateBytes);
    const auto certificate = read_certificate(bytes);
    if (!certificate || !is_of(*believed, *certificate)) break;
    directory->insert(*certificate, to_bytes(bytes));
  }
  if (good == all.size()) return directory;
  // A write that was cut off, or an issuer that is gone: what is good stays, the rest comes again.
  log::warning("{}: {} bytes at its end are left out", file.string(), all.size() - good);
  TRY(write_file_durably(file, all.first(good), 0600));
  return directory;
}

void Directory::insert(const Certificate& certificate, Bytes bytes) {
  newest_ = std::max(newest_, certificate.serial);
  auto& entry = nodes_[certificate.device];
  const bool is_newest = entry.bytes.empty() || certificate.epoch >= entry.certificate.epoch;
  if (is_newest && !entry.bytes.empty()) replaced_.insert(entry.certificate.keys.transport);
  if (!is_newest) replaced_.insert(certificate.keys.transport);
  if (is_newest) entry = {certificate, std::move(bytes)};
  replaced_.erase(entry.certificate.keys.transport);  // the same keys, certified again
}

Result<void> Directory::take(const std::vector<Bytes>& certificates) {
  const auto believed = trust_->trust();
  std::vector<Certificate> read;
  Bytes all;
  for (const Bytes& bytes : certificates) {
    TRY_ASSIGN(const Certificate certificate, read_certificate(bytes));
    if (!is_of(*believed, certificate))
      return fail(Code::kRefused,
                  "the authority's directory holds what is no node's certificate "
                  "of this root");
    read.push_back(certificate);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  if (size() + read.size() > 2 * limits::kCertificatesMax)
    return fail(Code::kRefused, "the authority's directory is larger than a fleet can be");
  TRY(append_durably(file_, all));
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < read.size(); ++i) insert(read[i], certificates[i]);
  return {};
}

std::uint64_t Directory::newest() const {
  std::lock_guard lock(mutex_);
  return newest_;
}

std::size_t Directory::size() const {
  std::lock_guard lock(mutex_);
  return nodes_.size();
}

std::vector<TransportPublic> Directory::revoked() const {
  const auto trust = trust_->trust();
  std::lock_guard lock(mutex_);
  std::vector<TransportPublic> keys(replaced_.begin(), replaced_.end());
  for (const auto& [device, entry] : nodes_)
    if (entry.certificate.epoch < trust->revocations.least_epoch(device))
      keys.push_back(entry.certificate.keys.transport);
  return keys;
}

std::vector<Directory::Entry> Directory::standing(std::int64_t now_s) const {
  const auto trust = trust_->trust();
  std::vector<Entry> in;
  std::lock_guard lock(mutex_);
  for (const auto& [device, entry] : nodes_)
    if (check_standing(*trust, entry.certificate, Role::kNode, now_s)) in.push_back(entry);
  return in;
}

}  // namespace freshet::membership
