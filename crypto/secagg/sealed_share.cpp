#include "crypto/secagg/sealed_share.h"

#include <algorithm>

#include "crypto/secagg/derive.h"
#include "crypto/sodium.h"

namespace freshet::secagg {
namespace {

constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kSealed = 64 + crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kCheck = sizeof(ShareCheck);
static_assert(kNonce + kSealed + 2 * kCheck == kBoxBytes);

// What a box is good for: sid || roster || from || to || checks.
using Context = std::array<std::uint8_t, 32 + 32 + 4 + 4 + 2 * kCheck>;
Context context_of(const Bound& bound, const Direction& direction, ByteView checks) {
  Context context;
  std::uint8_t* out = std::copy(bound.sid.begin(), bound.sid.end(), context.data());
  out = std::copy(bound.roster.begin(), bound.roster.end(), out);
  for (const std::uint32_t index : {direction.from, direction.to})
    for (int shift = 0; shift < 32; shift += 8)
      *out++ = static_cast<std::uint8_t>((index + 1) >> shift);
  std::copy(checks.begin(), checks.end(), out);
  return context;
}

std::span<const std::uint8_t> checks_in(const SealedShare& box) {
  return std::span(box.box).last<2 * kCheck>();
}

struct WipedKey {
  std::array<std::uint8_t, 32> bytes;
  ~WipedKey() { sodium_memzero(bytes.data(), bytes.size()); }
};

void write_checks(const Sid& sid, const Direction& direction,
                  std::span<const std::uint8_t, 64> shares, std::uint8_t* out) {
  for (const bool self_mask : {false, true}) {
    const KeyView share = self_mask ? KeyView(shares.last<32>()) : KeyView(shares.first<32>());
    const ShareCheck check = check_of(share, {sid, direction.from, direction.to, self_mask});
    out = std::copy(check.begin(), check.end(), out);
  }
}

}  // namespace

SealedShare seal_shares(const Bound& bound, const Direction& direction, KeyView agreed,
                        std::span<const std::uint8_t, 64> shares, const FillSecret& fill) {
  SealedShare sealed;
  sealed.to = direction.to;
  std::uint8_t* const nonce = sealed.box.data();
  fill(std::span(nonce, kNonce));
  write_checks(bound.sid, direction, shares, nonce + kNonce + kSealed);
  WipedKey key;
  direction_key(agreed, bound, direction, key.bytes);
  const Context context = context_of(bound, direction, checks_in(sealed));
  crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + kNonce, nullptr, shares.data(), shares.size(),
                                             context.data(), context.size(), nullptr, nonce,
                                             key.bytes.data());
  return sealed;
}

Result<void> open_shares(const Bound& bound, const Direction& direction, KeyView agreed,
                         const SealedShare& box, std::span<std::uint8_t, 64> shares) {
  if (box.to != direction.to)
    return fail(Code::kBadInput, "a box of shares for another member than its receiver");
  WipedKey key;
  direction_key(agreed, bound, direction, key.bytes);
  const Context context = context_of(bound, direction, checks_in(box));
  const std::uint8_t* nonce = box.box.data();
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(shares.data(), nullptr, nullptr, nonce + kNonce,
                                                 kSealed, context.data(), context.size(), nonce,
                                                 key.bytes.data()) != 0)
    return fail(Code::kBadInput, "a box of shares that does not open");
  std::array<std::uint8_t, 2 * kCheck> checks;
  write_checks(bound.sid, direction, shares, checks.data());
  const std::span<const std::uint8_t, 64> inside = shares;
  if (!is_scalar(inside.first<32>()) || !is_scalar(inside.last<32>()) ||
      !std::ranges::equal(checks, checks_in(box))) {
    sodium_memzero(shares.data(), shares.size());
    return fail(Code::kBadInput, "a box that holds other shares than it says");
  }
  return {};
}

bool was_dealt(const Sid& sid, std::uint32_t from, const SealedShare& box,
               const RevealedShare& share) {
  const ShareCheck check = check_of(share.value, {sid, from, box.to, share.self_mask});
  return share.of == from && std::equal(check.begin(), check.end(),
                                        checks_in(box).begin() + (share.self_mask ? kCheck : 0));
}

Verdict judge(const Bound& bound, const Direction& direction, const SealedShare& box,
              const Evidence& evidence) {
  if (!proves_agreement(evidence, direction.to_cipher, direction.from_cipher))
    return Verdict::kComplainerLied;
  std::array<std::uint8_t, 64> shares;
  const bool opens = open_shares(bound, direction, evidence.shared, box, shares).has_value();
  sodium_memzero(shares.data(), shares.size());
  return opens ? Verdict::kComplainerLied : Verdict::kSenderLied;
}

}  // namespace freshet::secagg
