#include "crypto/keys.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <unordered_set>

#include "crypto/digest.h"
#include "crypto/remembered_signatures.h"
#include "crypto/sodium.h"

namespace freshet {
namespace {

constexpr std::string_view kTextPrefix = "freshet-id-1:";
constexpr std::string_view kTextDomain = "freshet/identity-text/v1";
constexpr std::string_view kSignDomain = "freshet/sign/v1";
constexpr std::size_t kIdentityBytes = 96, kCheckBytes = 4;

Bytes bytes_of(const PublicIdentity& identity) {
  Bytes bytes;
  bytes.reserve(kIdentityBytes + kCheckBytes);
  auto append = [&](const auto& key) {
    bytes.insert(bytes.end(), key.bytes.begin(), key.bytes.end());
  };
  append(identity.signing);
  append(identity.transport);
  append(identity.sealing);
  return bytes;
}

// A low-order point would make the agreed secret the same for everybody.
bool agrees(const std::uint8_t* point) {
  static const std::array<std::uint8_t, 32> kScalar = {1};  // clamped by X25519 to 2^254
  std::array<std::uint8_t, 32> shared;
  return crypto_scalarmult(shared.data(), kScalar.data(), point) == 0;
}

constexpr std::size_t kRememberedMax = 4'000'000;
constexpr std::size_t kRememberedParts = 64;  // so that threads seldom wait for each other

class Remembered {
 public:
  bool holds(std::uint64_t name) {
    Part& part = part_of(name);
    const std::scoped_lock lock(part.mutex);
    return part.names.contains(name);
  }
  void add(std::uint64_t name) {
    Part& part = part_of(name);
    const std::scoped_lock lock(part.mutex);
    if (part.names.size() < kRememberedMax / kRememberedParts) part.names.insert(name);
  }

 private:
  struct Part {
    std::mutex mutex;
    std::unordered_set<std::uint64_t> names;
  };
  Part& part_of(std::uint64_t name) { return parts_[name % kRememberedParts]; }
  std::array<Part, kRememberedParts> parts_;
};
std::atomic<Remembered*> remembered{nullptr};

// What one (key, message, signature) is remembered by: a keyed hash of all three.
std::uint64_t name_of_signature(const SigningPublic& key, const Bytes& message,
                                const Signature& signature) {
  static const auto kHashKey = [] {
    std::array<std::uint8_t, crypto_shorthash_KEYBYTES> random;
    randombytes_buf(random.data(), random.size());
    return random;
  }();
  Bytes all;
  all.reserve(key.bytes.size() + signature.size() + message.size());
  for (ByteView part : {ByteView(key.bytes), ByteView(signature), ByteView(message)})
    all.insert(all.end(), part.begin(), part.end());
  std::array<std::uint8_t, crypto_shorthash_BYTES> name;
  crypto_shorthash(name.data(), all.data(), all.size(), kHashKey.data());
  std::uint64_t number;
  std::memcpy(&number, name.data(), sizeof number);
  return number;
}

Bytes signed_bytes(std::string_view domain, ByteView bytes) {
  const DomainPrefix ours(kSignDomain), theirs(domain);
  Bytes message;
  message.reserve(ours.view().size() + theirs.view().size() + bytes.size());
  for (ByteView part : {ours.view(), theirs.view(), bytes})
    message.insert(message.end(), part.begin(), part.end());
  return message;
}

}  // namespace

NodeId PublicIdentity::id() const {
  const Digest digest = digest_of(signing.bytes);
  NodeId id;
  for (int i = 7; i >= 0; --i) id.value = id.value << 8 | digest[static_cast<std::size_t>(i)];
  return id;
}

Result<void> check_ownable(const PublicIdentity& identity) {
  if (agrees(identity.transport.bytes.data()) && agrees(identity.sealing.bytes.data())) return {};
  return fail(Code::kBadInput, "an identity with a low-order key, which nobody can own");
}

std::string to_text(const PublicIdentity& identity) {
  Bytes bytes = bytes_of(identity);
  const Digest check = digest_of(kTextDomain, bytes);
  bytes.insert(bytes.end(), check.begin(), check.begin() + kCheckBytes);
  return std::string(kTextPrefix) + to_hex(bytes);
}

Result<PublicIdentity> public_identity_from_text(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = std::min(text.find_first_not_of(kBlank), text.size());
  text.remove_prefix(first);
  text = text.substr(0, text.find_last_not_of(kBlank) + 1);
  if (!text.starts_with(kTextPrefix))
    return fail(Code::kBadInput, "an identity begins with \"freshet-id-1:\"; copy the whole line");
  text.remove_prefix(kTextPrefix.size());
  if (text.size() != 2 * (kIdentityBytes + kCheckBytes))
    return fail(Code::kBadInput,
                "an identity has 200 hexadecimal digits after its colon, this one has " +
                    std::to_string(text.size()) + "; copy the whole line");
  TRY_ASSIGN(const Bytes bytes, from_hex(text));
  const ByteView keys = ByteView(bytes).first(kIdentityBytes);
  const Digest check = digest_of(kTextDomain, keys);
  if (!std::equal(check.begin(), check.begin() + kCheckBytes, bytes.begin() + kIdentityBytes))
    return fail(Code::kBadInput,
                "an identity whose check digits do not fit: a digit was lost or changed");
  PublicIdentity identity;
  std::copy_n(keys.begin(), 32, identity.signing.bytes.begin());
  std::copy_n(keys.begin() + 32, 32, identity.transport.bytes.begin());
  std::copy_n(keys.begin() + 64, 32, identity.sealing.bytes.begin());
  TRY(check_ownable(identity));
  return identity;
}

Identity Identity::generate() {
  Identity identity;
  identity.signing = Secret(crypto_sign_SECRETKEYBYTES);
  crypto_sign_keypair(identity.open.signing.bytes.data(), identity.signing.writable().data());
  identity.transport = Secret(crypto_box_SECRETKEYBYTES);
  crypto_box_keypair(identity.open.transport.bytes.data(), identity.transport.writable().data());
  identity.sealing = Secret(crypto_box_SECRETKEYBYTES);
  crypto_box_keypair(identity.open.sealing.bytes.data(), identity.sealing.writable().data());
  return identity;
}

Signature sign(const Identity& identity, std::string_view domain, ByteView bytes) {
  CHECK(identity.signing.view().size() == crypto_sign_SECRETKEYBYTES);
  const Bytes message = signed_bytes(domain, bytes);
  Signature signature;
  crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(),
                       identity.signing.view().data());
  if (Remembered* const memory = remembered)
    memory->add(name_of_signature(identity.open.signing, message, signature));
  return signature;
}

bool verify(const SigningPublic& key, std::string_view domain, ByteView bytes,
            const Signature& signature) {
  const Bytes message = signed_bytes(domain, bytes);
  Remembered* const memory = remembered;
  const std::uint64_t name = memory ? name_of_signature(key, message, signature) : 0;
  if (memory && memory->holds(name)) return true;
  const bool good = crypto_sign_verify_detached(signature.data(), message.data(), message.size(),
                                                key.bytes.data()) == 0;
  if (good && memory) memory->add(name);
  return good;
}

RememberSignatures::RememberSignatures() {
  CHECK(remembered == nullptr, "signatures are remembered already");
  remembered = new Remembered();
}
RememberSignatures::~RememberSignatures() { delete remembered.exchange(nullptr); }

// No signature of the key that is all zeros is ever good.
bool is_remembered(const Bytes& statement) {
  Remembered* const memory = remembered;
  return memory && memory->holds(name_of_signature({}, statement, {}));
}
void remember_good(const Bytes& statement) {
  if (Remembered* const memory = remembered) memory->add(name_of_signature({}, statement, {}));
}

}  // namespace freshet
