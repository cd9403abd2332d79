#include "crypto/certificates/revocations.h"

#include <algorithm>

#include "base/check.h"
#include "base/fields.h"
#include "base/limits.h"

namespace freshet {
namespace {

constexpr std::string_view kRevocationsMagic = "FRL1";
constexpr std::string_view kDomain = "freshet/revocations/v1";
constexpr std::size_t kRevocationsHeadBytes = 4 + 8 + 16 + 32 + 4, kEntryBytes = 8 + 4;

bool before(const Revocation& a, const Revocation& b) { return a.device < b.device; }

bool in_order(const std::vector<Revocation>& entries) {
  for (std::size_t i = 1; i < entries.size(); ++i)
    if (!before(entries[i - 1], entries[i])) return false;
  return true;
}

}  // namespace

std::uint32_t RevocationList::least_epoch(NodeId device) const {
  const auto found = std::lower_bound(entries.begin(), entries.end(), Revocation{device}, before);
  return found == entries.end() || found->device != device ? 0 : found->least_epoch;
}

Bytes issue(const RevocationList& list, const Identity& issuer) {
  CHECK(list.issuer == issuer.open.signing, "a revocation list that names another issuer");
  CHECK(list.entries.size() <= limits::kRevocationsMax && in_order(list.entries));
  FieldWriter out;
  out.fixed(as_bytes(kRevocationsMagic))
      .number(list.serial)
      .time(list.issued_s)
      .time(list.expires_s)
      .fixed(list.issuer.bytes)
      .number(static_cast<std::uint32_t>(list.entries.size()));
  for (const Revocation& entry : list.entries)
    out.number(entry.device.value).number(entry.least_epoch);
  out.fixed(sign(issuer, kDomain, out.view()));
  return out.take();
}

Result<RevocationList> read_revocations(ByteView bytes) {
  FieldReader in(bytes);
  RevocationList list;
  const bool ours = as_text(in.fixed(kRevocationsMagic.size())) == kRevocationsMagic;
  list.serial = in.number<std::uint64_t>();
  list.issued_s = in.time();
  list.expires_s = in.time();
  in.fixed_into(list.issuer.bytes);
  const auto count = in.number<std::uint32_t>();
  if (!ours || count > limits::kRevocationsMax ||
      bytes.size() != kRevocationsHeadBytes + count * kEntryBytes + sizeof(Signature))
    return fail(Code::kBadInput, "these " + std::to_string(bytes.size()) +
                                     " bytes are no revocation list that this program can read");
  list.entries.resize(count);
  for (Revocation& entry : list.entries) {
    entry.device.value = in.number<std::uint64_t>();
    entry.least_epoch = in.number<std::uint32_t>();
  }
  Signature signature;
  in.fixed_into(signature);
  CHECK(in.done());
  if (!verify(list.issuer, kDomain, bytes.first(bytes.size() - sizeof(Signature)), signature))
    return fail(Code::kRefused,
                "a revocation list whose signature is not its issuer's: it was "
                "changed on the way, or made up");
  if (!in_order(list.entries) || list.expires_s < list.issued_s)
    return fail(Code::kBadInput, "a revocation list whose entries or dates are out of order");
  return list;
}

}  // namespace freshet
