#include "protocol/secagg_messages.h"

#include "base/check.h"
#include "crypto/digest.h"
#include "protocol/canonical.h"
#include "protocol/messages.h"

namespace freshet {

std::string_view name_of(Declined why) {
  constexpr std::string_view kNames[] = {"policy", "model",  "roster", "trust", "survivors",
                                         "quorum", "budget", "spent",  "failed"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Declined::kFailed) + 1);
  return kNames[static_cast<std::size_t>(why)];
}

Digest index_list_digest(std::span<const std::uint32_t> indices) {
  CanonicalBytes bytes;
  bytes.number(static_cast<std::uint32_t>(indices.size()));
  for (const std::uint32_t index : indices) bytes.number(index);
  return digest_of("freshet/indices/v1", bytes.view());
}

Bytes signed_advert(const Digest& sid, const secagg::Advert& advert) {
  return CanonicalBytes()
      .raw(sid)
      .raw(advert.cipher.bytes)
      .raw(advert.mask.bytes)
      .raw(advert.commit)
      .raw(advert.nonce)
      .raw(advert.possession)
      .view();
}

Bytes signed_box(const BoxContext& context, std::span<const std::uint8_t, secagg::kBoxBytes> box) {
  return CanonicalBytes()
      .raw(context.sid)
      .raw(context.roster)
      .number(context.from)
      .number(context.to)
      .raw(box)
      .view();
}

Bytes signed_complaint(const Digest& sid, const SignedBox& box, const secagg::Evidence& evidence) {
  return CanonicalBytes()
      .raw(sid)
      .number(box.peer)
      .raw(box.box)
      .raw(box.signature)
      .raw(evidence.shared)
      .raw(evidence.proof)
      .view();
}

Bytes signed_masked(const Digest& sid, const Digest& sharers, const Digest& packed) {
  return CanonicalBytes().raw(sid).raw(sharers).raw(packed).view();
}

Bytes signed_survivors(const Outcome& outcome) {
  return CanonicalBytes()
      .raw(outcome.sid)
      .raw(outcome.roster)
      .raw(outcome.sharers)
      .raw(outcome.survivors)
      .view();
}

Bytes signed_abort(const Digest& sid) { return to_bytes(sid); }

Bytes signed_receipt(const Receipt& receipt) {
  CHECK(receipt.masked.has_value(), "a receipt of round {} without its sum", receipt.round.value);
  const MaskedReceipt& masked = *receipt.masked;
  return CanonicalBytes()
      .number(receipt.campaign.value)
      .number(receipt.round.value)
      .number(receipt.version.value)
      .raw(masked.sid)
      .raw(masked.survivors)
      .number(masked.count)
      .raw(masked.sum)
      .number(masked.epsilon)
      .view();
}

}  // namespace freshet
