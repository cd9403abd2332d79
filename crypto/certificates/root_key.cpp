#include "crypto/certificates/root_key.h"

#include <algorithm>

#include "base/check.h"
#include "base/fields.h"
#include "base/limits.h"
#include "crypto/private_file.h"
#include "crypto/seal.h"
#include "crypto/sodium.h"

namespace freshet {
namespace {

constexpr std::string_view kRootMagic = "freshet root 1\n";
constexpr std::string_view kContext = "freshet/root-file/v1";
constexpr std::size_t kSaltBytes = crypto_pwhash_SALTBYTES;
constexpr std::size_t kSigningBytes = crypto_sign_SECRETKEYBYTES;
constexpr std::size_t kRootHeadBytes = kRootMagic.size() + 8 + 8 + kSaltBytes + 32;
constexpr std::size_t kFileBytes = kRootHeadBytes + 24 + kSigningBytes + 16;
constexpr std::size_t kMemoryMax = limits::kGiB;
constexpr std::uint64_t kPassesMax = 16;

struct Cost {
  std::uint64_t passes, memory;
};

Cost cost_of(PassphraseCost cost) {
  if (cost == PassphraseCost::kTest) return {1, 8 * limits::kMiB};
  return {crypto_pwhash_argon2id_OPSLIMIT_MODERATE, crypto_pwhash_argon2id_MEMLIMIT_MODERATE};
}

Result<Secret> key_from(const Secret& passphrase, ByteView salt, Cost cost) {
  Secret key(32);
  const ByteView text = passphrase.view();
  if (crypto_pwhash_argon2id(key.writable().data(), 32, reinterpret_cast<const char*>(text.data()),
                             text.size(), salt.data(), cost.passes, cost.memory,
                             crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
    return fail(Code::kNoSpace, "the passphrase's key takes " +
                                    std::to_string(cost.memory / limits::kMiB) +
                                    " MiB of memory, and there is not as much");
  return key;
}

// Cost, salt and public key stand in the clear, and are what the seal is bound to.
Bytes context_of(ByteView head) {
  Bytes context = to_bytes(as_bytes(kContext));
  context.insert(context.end(), head.begin(), head.end());
  return context;
}

}  // namespace

Result<SigningPublic> make_root(const Path& file, const Secret& passphrase, PassphraseCost cost) {
  std::error_code error;
  if (std::filesystem::exists(file, error))
    return fail(Code::kRefused, file.string() + " is there already; a root is made once");
  if (passphrase.view().size() < kPassphraseBytesMin)
    return fail(Code::kRefused, "a root's passphrase has at least " +
                                    std::to_string(kPassphraseBytesMin) +
                                    " characters; four random words make a good one");
  Identity root;
  root.signing = Secret(kSigningBytes);
  crypto_sign_keypair(root.open.signing.bytes.data(), root.signing.writable().data());
  std::array<std::uint8_t, kSaltBytes> salt;
  random_bytes(salt);
  const Cost chosen = cost_of(cost);
  FieldWriter out;
  out.fixed(as_bytes(kRootMagic)).number(chosen.passes).number(chosen.memory).fixed(salt);
  out.fixed(root.open.signing.bytes);
  TRY_ASSIGN(const Secret key, key_from(passphrase, salt, chosen));
  out.fixed(seal_at_rest(key, root.signing.view(), context_of(out.view())));
  TRY(write_file_durably(file, out.view(), 0600));
  return root.open.signing;
}

Result<Identity> open_root(const Path& file, const Secret& passphrase) {
  TRY_ASSIGN(const std::optional<Secret> content, read_private_file(file, kFileBytes));
  if (!content)
    return fail(Code::kBadInput, file.string() +
                                     " is not there; bring the root key's file to this machine, "
                                     "or name it with --root");
  const ByteView bytes = content->view();
  const std::string not_whole =
      file.string() + " is no root key file of this version; restore it from a backup";
  if (bytes.size() != kFileBytes || as_text(bytes.first(kRootMagic.size())) != kRootMagic)
    return fail(Code::kCorrupt, not_whole);
  FieldReader in(bytes.first(kRootHeadBytes).subspan(kRootMagic.size()));
  Cost cost{in.number<std::uint64_t>(), 0};
  cost.memory = in.number<std::uint64_t>();
  const ByteView salt = in.fixed(kSaltBytes);
  Identity root;
  in.fixed_into(root.open.signing.bytes);
  if (cost.passes == 0 || cost.passes > kPassesMax || cost.memory < 8 * limits::kKiB ||
      cost.memory > kMemoryMax)
    return fail(Code::kCorrupt, not_whole);
  TRY_ASSIGN(const Secret key, key_from(passphrase, salt, cost));
  Result<Bytes> opened =
      open_at_rest(key, bytes.subspan(kRootHeadBytes), context_of(bytes.first(kRootHeadBytes)));
  if (!opened)
    return fail(Code::kRefused, file.string() +
                                    " does not open: the passphrase is wrong, or the file was "
                                    "changed");
  root.signing = Secret::copy_of(*opened);
  sodium_memzero(opened->data(), opened->size());
  SigningPublic derived;
  crypto_sign_ed25519_sk_to_pk(derived.bytes.data(), root.signing.view().data());
  CHECK(derived == root.open.signing);
  return root;
}

}  // namespace freshet
