#include "crypto/certificates/trust.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/fields.h"
#include "base/limits.h"
#include "crypto/digest.h"

namespace freshet {
namespace {

constexpr std::string_view kTrustMagic = "FRT1";
constexpr std::string_view kRootDomain = "freshet/root/v1";

static_assert(kTrustMagic.size() + 32 + 8 + limits::kIssuersMax * kCertificateBytes + 128 +
                      limits::kRevocationsMax * 12 <=
                  limits::kBundleBytesMax,
              "a full list and all issuers must fit into a bundle");
static_assert(limits::kBundleBytesMax < limits::kFrameBytesMax, "a bundle must fit into a frame");

// "2026-11-20 13:05 UTC", or the number where it is no date that a calendar knows.
std::string date(std::int64_t seconds) {
  if (seconds < 0 || seconds > 253'402'300'799) return fmt::format("second {}", seconds);
  return fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

std::string name_of(const Certificate& certificate) {
  return fmt::format("the certificate of {} {:016x}", name_of(certificate.role),
                     certificate.id().value);
}

Result<void> check_dates(const Certificate& certificate, std::int64_t now_s) {
  if (now_s < certificate.not_before_s - limits::kClockSlackS)
    return fail(Code::kUnavailable,
                fmt::format("{} is not yet valid: it begins at {} and this machine's clock says "
                            "{}; set the clock, or wait",
                            name_of(certificate), date(certificate.not_before_s), date(now_s)));
  if (now_s > certificate.not_after_s + limits::kClockSlackS)
    return fail(
        Code::kExpired,
        fmt::format("{} expired at {}, and this machine's clock says {}; renew it with "
                    "`freshet {} rotate`",
                    name_of(certificate), date(certificate.not_after_s), date(now_s),
                    certificate.role == Role::kIssuer ? "authority" : name_of(certificate.role)));
  return {};
}

Result<void> check_list(const RevocationList& list, std::int64_t now_s) {
  if (now_s > list.expires_s + limits::kClockSlackS)
    return fail(Code::kExpired,
                fmt::format("revocation list {} expired at {}, and this machine's clock says {}; "
                            "nobody can be believed before the authority is reached again",
                            list.serial, date(list.expires_s), date(now_s)));
  if (now_s < list.issued_s - limits::kClockSlackS)
    return fail(Code::kUnavailable,
                fmt::format("revocation list {} is not yet valid: it begins at {} and this "
                            "machine's clock says {}; set the clock",
                            list.serial, date(list.issued_s), date(now_s)));
  return {};
}

Result<void> check_epoch(const RevocationList& list, const Certificate& certificate) {
  const std::uint32_t least = list.least_epoch(certificate.device);
  if (least == Revocation::kRevoked)
    return fail(Code::kRefused, fmt::format("{} is revoked (revocation list {}); it needs a new "
                                            "token to come back",
                                            name_of(certificate), list.serial));
  if (certificate.epoch < least)
    return fail(Code::kRefused,
                fmt::format("{} was replaced: it is of epoch {}, epoch {} is in use",
                            name_of(certificate), certificate.epoch, least));
  return {};
}

Result<Trust> open_parts(const SigningPublic& root, FieldReader in) {
  Trust trust;
  trust.root = root;
  const auto count = in.number<std::uint32_t>();
  if (count == 0 || count > limits::kIssuersMax)
    return fail(Code::kBadInput, fmt::format("a trust bundle with {} issuers: it must have 1 to {}",
                                             count, limits::kIssuersMax));
  for (std::uint32_t i = 0; i < count; ++i) {
    Issuer issuer{{}, to_bytes(in.fixed(kCertificateBytes))};
    auto certificate = read_certificate(issuer.bytes);
    if (!certificate) return fail_in("an issuer of the trust bundle", certificate.error());
    issuer.certificate = *certificate;
    if (certificate->issuer != root)
      return fail(Code::kRefused, "a trust bundle whose issuer another root signed");
    if (certificate->role != Role::kIssuer || !(certificate->capabilities & kMayIssue))
      return fail(Code::kRefused, "a trust bundle whose issuer may not issue");
    if (i > 0 && certificate->epoch <= trust.issuers.back().certificate.epoch)
      return fail(Code::kBadInput, "a trust bundle whose issuers are out of order");
    trust.issuers.push_back(std::move(issuer));
  }
  const ByteView list = in.counted(limits::kBundleBytesMax);
  if (!in.done()) return fail(Code::kBadInput, "a trust bundle that is cut off or too long");
  TRY_ASSIGN(trust.revocations, read_revocations(list));
  if (trust.revocations.issuer != trust.issuers.back().certificate.keys.signing)
    return fail(Code::kRefused,
                "a trust bundle whose revocation list is not of the issuer in office");
  return trust;
}

Result<SigningPublic> root_of(ByteView bundle) {
  SigningPublic root;
  FieldReader in(bundle);
  const bool ours = as_text(in.fixed(kTrustMagic.size())) == kTrustMagic;
  in.fixed_into(root.bytes);
  if (!ours || in.failed() || bundle.size() > limits::kBundleBytesMax)
    return fail(Code::kBadInput, fmt::format("these {} bytes are no trust bundle that this program "
                                             "can read",
                                             bundle.size()));
  return root;
}

constexpr const char* kAnotherRoot =
    "a trust bundle of another root: somebody else's authority answers here, or this machine "
    "joined another fleet";

}  // namespace

TrustSerial Trust::serial() const { return {issuers.back().certificate.epoch, revocations.serial}; }

Digest root_digest(const SigningPublic& root) { return digest_of(kRootDomain, root.bytes); }

Bytes make_bundle(const SigningPublic& root, const std::vector<Bytes>& issuers, ByteView list) {
  CHECK(!issuers.empty() && issuers.size() <= limits::kIssuersMax);
  FieldWriter out;
  out.fixed(as_bytes(kTrustMagic))
      .fixed(root.bytes)
      .number(static_cast<std::uint32_t>(issuers.size()));
  for (const Bytes& issuer : issuers) {
    CHECK(issuer.size() == kCertificateBytes);
    out.fixed(issuer);
  }
  return out.counted(list).take();
}

Result<Trust> open_trust(const SigningPublic& root, ByteView bundle) {
  TRY_ASSIGN(const SigningPublic named, root_of(bundle));
  if (named != root) return fail(Code::kRefused, kAnotherRoot);
  return open_parts(root, FieldReader(bundle.subspan(kTrustMagic.size() + root.bytes.size())));
}

Result<Trust> open_trust(const Digest& pinned, ByteView bundle) {
  TRY_ASSIGN(const SigningPublic named, root_of(bundle));
  if (root_digest(named) != pinned) return fail(Code::kRefused, kAnotherRoot);
  return open_trust(named, bundle);
}

Result<void> check_standing(const Trust& trust, const Certificate& certificate, Role wanted,
                            std::int64_t now_s) {
  if (certificate.role != wanted || certificate.capabilities == 0)
    return fail(Code::kRefused,
                fmt::format("{} does not make it a {}", name_of(certificate), name_of(wanted)));
  const auto issuer =
      std::find_if(trust.issuers.begin(), trust.issuers.end(), [&certificate](const Issuer& each) {
        return each.certificate.keys.signing == certificate.issuer;
      });
  if (issuer == trust.issuers.end())
    return fail(
        Code::kRefused,
        fmt::format("{} is of the wrong issuer: {} is none of this root's {}", name_of(certificate),
                    short_hex(certificate.issuer.bytes), trust.issuers.size()));
  TRY(check_list(trust.revocations, now_s));
  TRY(check_epoch(trust.revocations, issuer->certificate));
  TRY(check_dates(issuer->certificate, now_s));
  TRY(check_epoch(trust.revocations, certificate));
  return check_dates(certificate, now_s);
}

Result<Certificate> check_certificate(const Trust& trust, ByteView bytes, Role wanted,
                                      std::int64_t now_s) {
  TRY_ASSIGN(const Certificate certificate, read_certificate(bytes));
  TRY(check_standing(trust, certificate, wanted, now_s));
  return certificate;
}

}  // namespace freshet
