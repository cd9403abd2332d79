#include "crypto/certificates/certificate.h"

#include "base/check.h"
#include "base/fields.h"
#include "crypto/certificates/line.h"

namespace freshet {
namespace {

constexpr std::string_view kCertificateMagic = "FRC1";
constexpr std::string_view kDomain = "freshet/certificate/v1";
constexpr std::string_view kCertificatePrefix = "freshet-cert-1:";
constexpr std::size_t kSignedBytes = kCertificateBytes - sizeof(Signature);

}  // namespace

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kIssuer: return "issuer";
    case Role::kCoordinator: return "coordinator";
    case Role::kNode: return "node";
    case Role::kOperator: return "operator";
  }
  return "party";
}

std::uint32_t capabilities_of(Role role) {
  switch (role) {
    case Role::kIssuer: return kMayIssue;
    case Role::kCoordinator: return kMayCoordinate;
    case Role::kNode: return kMayContribute;
    case Role::kOperator: return kMayOperate;
  }
  return 0;
}

Bytes issue(const Certificate& certificate, const Identity& issuer) {
  CHECK(certificate.issuer == issuer.open.signing, "a certificate that names another issuer");
  FieldWriter out;
  out.fixed(as_bytes(kCertificateMagic))
      .number(static_cast<std::uint8_t>(certificate.role))
      .number(certificate.serial)
      .number(certificate.device.value)
      .fixed(certificate.keys.signing.bytes)
      .fixed(certificate.keys.transport.bytes)
      .fixed(certificate.keys.sealing.bytes)
      .time(certificate.not_before_s)
      .time(certificate.not_after_s)
      .time(certificate.enrolled_s)
      .number(certificate.epoch)
      .number(certificate.capabilities)
      .fixed(certificate.issuer.bytes);
  out.fixed(sign(issuer, kDomain, out.view()));
  CHECK(out.view().size() == kCertificateBytes);
  return out.take();
}

Result<Certificate> read_certificate(ByteView bytes) {
  if (bytes.size() != kCertificateBytes ||
      as_text(bytes.first(kCertificateMagic.size())) != kCertificateMagic)
    return fail(Code::kBadInput, "these " + std::to_string(bytes.size()) +
                                     " bytes are no certificate that this program can read");
  FieldReader in(bytes.subspan(kCertificateMagic.size()));
  Certificate certificate;
  const auto role = in.number<std::uint8_t>();
  certificate.role = static_cast<Role>(role);
  certificate.serial = in.number<std::uint64_t>();
  certificate.device.value = in.number<std::uint64_t>();
  in.fixed_into(certificate.keys.signing.bytes);
  in.fixed_into(certificate.keys.transport.bytes);
  in.fixed_into(certificate.keys.sealing.bytes);
  certificate.not_before_s = in.time();
  certificate.not_after_s = in.time();
  certificate.enrolled_s = in.time();
  certificate.epoch = in.number<std::uint32_t>();
  certificate.capabilities = in.number<std::uint32_t>();
  in.fixed_into(certificate.issuer.bytes);
  Signature signature;
  in.fixed_into(signature);
  CHECK(in.done());
  if (!verify(certificate.issuer, kDomain, bytes.first(kSignedBytes), signature))
    return fail(Code::kRefused,
                "a certificate whose signature is not its issuer's: it was changed "
                "on the way, or made up");
  if (role > static_cast<std::uint8_t>(Role::kOperator) || certificate.epoch == 0 ||
      certificate.not_after_s < certificate.not_before_s)
    return fail(Code::kBadInput, "a certificate of a role, epoch or dates that cannot be");
  return certificate;
}

std::string certificate_text(ByteView bytes) {
  return std::string(as_text(to_line(kCertificatePrefix, bytes).view()));
}

Result<Bytes> certificate_from_text(std::string_view text) {
  TRY_ASSIGN(const Secret bytes, from_line("a certificate", kCertificatePrefix, text));
  TRY(read_certificate(bytes.view()));
  return to_bytes(bytes.view());
}

}  // namespace freshet
