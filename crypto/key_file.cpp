#include "crypto/key_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

#include "crypto/private_file.h"
#include "crypto/seal.h"
#include "crypto/sodium.h"

namespace freshet {
namespace {

constexpr std::string_view kMagic = "freshet identity 1\n";
constexpr std::size_t kSigning = 64, kTransport = 32, kSealing = 32, kStorage = 32;
constexpr std::size_t kPlainBytes = kSigning + kTransport + kSealing + kStorage;
constexpr std::size_t kSealedBytes = 24 + kPlainBytes + 16;
constexpr std::size_t kSealKeyBytes = 32;

Result<Secret> load_seal_key(const Path& path, bool identity_exists, bool elsewhere) {
  TRY_ASSIGN(std::optional<Secret> key, read_private_file(path, kSealKeyBytes));
  if (key && key->view().size() != kSealKeyBytes)
    return fail(Code::kCorrupt,
                path.string() + " does not hold 32 bytes; restore it from a backup");
  if (key) return std::move(*key);
  if (identity_exists)
    return fail(
        elsewhere ? Code::kUnavailable : Code::kCorrupt,
        path.string() + " is not there, and the identity does not open without it; bring it back");
  Secret made = Secret::random(kSealKeyBytes);
  TRY(write_file_durably(path, made.view(), 0600));
  return made;
}

Bytes context_of_file() { return to_bytes(as_bytes("freshet/identity-file/v1")); }

Result<void> save(const Path& path, const KeyRing& ring, const Secret& seal_key) {
  Secret plain(kPlainBytes);
  std::uint8_t* at = plain.writable().data();
  for (const Secret* part :
       {&ring.identity.signing, &ring.identity.transport, &ring.identity.sealing, &ring.storage}) {
    std::memcpy(at, part->view().data(), part->view().size());
    at += part->view().size();
  }
  Bytes file = to_bytes(as_bytes(kMagic));
  const Bytes sealed = seal_at_rest(seal_key, plain.view(), context_of_file());
  file.insert(file.end(), sealed.begin(), sealed.end());
  return write_file_durably(path, file, 0600);
}

Result<KeyRing> ring_from(const Path& path, ByteView file, const Secret& seal_key) {
  const std::string advice =
      "; restore it and its seal key from a backup, or move both away to become a new party";
  if (file.size() != kMagic.size() + kSealedBytes || as_text(file.first(kMagic.size())) != kMagic)
    return fail(Code::kCorrupt, path.string() + " is no identity file of this version" + advice);
  Result<Bytes> opened = open_at_rest(seal_key, file.subspan(kMagic.size()), context_of_file());
  if (!opened)
    return fail(Code::kCorrupt, path.string() + " does not open with its seal key" + advice);
  const ByteView plain(*opened);
  KeyRing ring{{{},
                Secret::copy_of(plain.first(kSigning)),
                Secret::copy_of(plain.subspan(kSigning, kTransport)),
                Secret::copy_of(plain.subspan(kSigning + kTransport, kSealing))},
               Secret::copy_of(plain.last(kStorage))};
  sodium_memzero(opened->data(), opened->size());
  PublicIdentity& open = ring.identity.open;
  crypto_sign_ed25519_sk_to_pk(open.signing.bytes.data(), ring.identity.signing.view().data());
  crypto_scalarmult_base(open.transport.bytes.data(), ring.identity.transport.view().data());
  crypto_scalarmult_base(open.sealing.bytes.data(), ring.identity.sealing.view().data());
  return ring;
}

// Two starts at once: the second waits here and then finds what the first has made. Released with
// the descriptor.
Result<UniqueFd> hold(const Path& folder) {
  UniqueFd lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0)
    return tl::unexpected(errno_error("cannot lock", folder));
  struct stat info {};
  if (::fstat(lock.get(), &info) != 0) return tl::unexpected(errno_error("cannot inspect", folder));
  if (info.st_mode & 022)
    return fail(Code::kRefused, folder.string() + " can be changed by other users; `chmod 700 " +
                                    folder.string() + "`");
  return lock;
}

// REQUIRES: the folder is held.
Result<KeyRing> load_or_make(const Path& folder, Secret& seal_key) {
  const char* named = std::getenv("FRESHET_SEAL_KEY");
  const Path seal_path = named && *named ? Path(named) : folder / "seal.key";
  const Path identity_path = folder / "identity.key";
  TRY_ASSIGN(const std::optional<Secret> file,
             read_private_file(identity_path, kMagic.size() + kSealedBytes));
  TRY_ASSIGN(seal_key, load_seal_key(seal_path, file.has_value(), named && *named));
  if (file) return ring_from(identity_path, file->view(), seal_key);
  KeyRing ring{Identity::generate(), Secret::random(kStorage)};
  TRY(save(identity_path, ring, seal_key));
  return ring;
}

}  // namespace

Result<KeyRing> load_or_make_keys(const Path& folder) {
  TRY(make_folders(folder, 0700));
  TRY_ASSIGN(const UniqueFd lock, hold(folder));
  Secret seal_key;
  return load_or_make(folder, seal_key);
}

Result<KeyRing> prepare_next_keys(const Path& folder) {
  TRY_ASSIGN(const UniqueFd lock, hold(folder));
  Secret seal_key;
  TRY_ASSIGN(const KeyRing now, load_or_make(folder, seal_key));
  const Path path = folder / "identity.next";
  TRY_ASSIGN(const std::optional<Secret> file,
             read_private_file(path, kMagic.size() + kSealedBytes));
  if (file) return ring_from(path, file->view(), seal_key);
  KeyRing next{Identity::generate(), now.storage.clone()};
  TRY(save(path, next, seal_key));
  return next;
}

Result<void> use_next_keys(const Path& folder) {
  TRY_ASSIGN(const UniqueFd lock, hold(folder));
  const Path next = folder / "identity.next";
  if (::rename(next.c_str(), (folder / "identity.key").c_str()) != 0)
    return tl::unexpected(errno_error("cannot put into place", next));
  if (::fsync(lock.get()) != 0) return tl::unexpected(errno_error("cannot save", folder));
  return {};
}

}  // namespace freshet
