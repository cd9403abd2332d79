#include "crypto/certificates/join_token.h"

#include <algorithm>

#include "base/check.h"
#include "base/fields.h"
#include "base/limits.h"
#include "crypto/certificates/line.h"
#include "crypto/digest.h"
#include "crypto/sodium.h"

namespace freshet {
namespace {

constexpr std::string_view kPrefix = "freshet-join-1:";
constexpr std::string_view kCheckDomain = "freshet/join-text/v1";
constexpr std::string_view kHashDomain = "freshet/token/v1";
constexpr std::size_t kSecretBytes = 32, kCheckBytes = 4;
constexpr std::size_t kHeadBytes = 1 + kSecretBytes + 32 + 32;
constexpr std::size_t kPlainBytesMax = kHeadBytes + 2 * (4 + limits::kAddressBytesMax);

// Of a secret text, so that it never lies in memory that is not wiped.
class Filler {
 public:
  explicit Filler(Secret& to) : to_(to) {}
  void add(ByteView bytes) {
    std::memcpy(to_.writable().data() + used_, bytes.data(), bytes.size());
    used_ += bytes.size();
  }

 private:
  Secret& to_;
  std::size_t used_ = 0;
};

}  // namespace

Secret join_token_text(const JoinToken& token) {
  CHECK(token.secret.view().size() == kSecretBytes);
  CHECK(token.authority_at.size() <= limits::kAddressBytesMax &&
        token.coordinator_at.size() <= limits::kAddressBytesMax);
  FieldWriter open;
  open.fixed(token.root).fixed(token.authority.bytes).text(token.authority_at);
  open.text(token.coordinator_at);
  Secret bytes(1 + kSecretBytes + open.view().size() + kCheckBytes);
  const auto role = static_cast<std::uint8_t>(token.role);
  Filler fill(bytes);
  fill.add({&role, 1});
  fill.add(token.secret.view());
  fill.add(open.view());
  const Digest check =
      digest_of(kCheckDomain, bytes.view().first(bytes.view().size() - kCheckBytes));
  fill.add(ByteView(check).first(kCheckBytes));
  return to_line(kPrefix, bytes.view());
}

Result<JoinToken> join_token_from_text(std::string_view text) {
  TRY_ASSIGN(const Secret bytes, from_line("a join token", kPrefix, text));
  const std::size_t size = bytes.view().size();
  if (size < kHeadBytes + 8 + kCheckBytes || size > kPlainBytesMax + kCheckBytes)
    return fail(Code::kBadInput, "a join token that is cut off or too long; copy the whole line");
  const Digest check = digest_of(kCheckDomain, bytes.view().first(size - kCheckBytes));
  if (!std::equal(check.begin(), check.begin() + kCheckBytes,
                  bytes.view().last(kCheckBytes).begin()))
    return fail(Code::kBadInput,
                "a join token whose check does not fit: a character was lost or "
                "changed; copy the whole line again");
  FieldReader in(bytes.view().first(size - kCheckBytes));
  JoinToken token;
  const auto role = in.number<std::uint8_t>();
  token.role = static_cast<Role>(role);
  token.secret = Secret::copy_of(in.fixed(kSecretBytes));
  in.fixed_into(token.root);
  in.fixed_into(token.authority.bytes);
  token.authority_at = in.text(limits::kAddressBytesMax);
  token.coordinator_at = in.text(limits::kAddressBytesMax);
  if (!in.done() || role > static_cast<std::uint8_t>(Role::kOperator))
    return fail(Code::kBadInput,
                "a join token that this program cannot read; use the version of "
                "Freshet that the authority runs");
  return token;
}

Digest token_hash(const Secret& pepper, ByteView secret) {
  CHECK(pepper.view().size() == 32);
  const DomainPrefix domain(kHashDomain);
  crypto_generichash_state state;
  crypto_generichash_init(&state, pepper.view().data(), pepper.view().size(), 32);
  crypto_generichash_update(&state, domain.view().data(), domain.view().size());
  crypto_generichash_update(&state, secret.data(), secret.size());
  Digest digest;
  crypto_generichash_final(&state, digest.data(), digest.size());
  sodium_memzero(&state, sizeof state);
  return digest;
}

}  // namespace freshet
