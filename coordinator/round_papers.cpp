#include "coordinator/round_papers.h"

#include <fmt/core.h>

#include "base/fields.h"
#include "base/limits.h"

namespace freshet::papers {
namespace {

constexpr std::size_t kBoxRecordBytes = 4 + secagg::kBoxBytes + sizeof(Signature);

tl::unexpected<Error> broken(std::string_view what, ByteView bytes) {
  return fail(Code::kCorrupt, fmt::format("a document of a masked round: {} bytes that are no {}",
                                          bytes.size(), what));
}

SignedBox read_box(FieldReader& reader) {
  SignedBox box;
  box.peer = reader.number<std::uint32_t>();
  reader.fixed_into(box.box);
  reader.fixed_into(box.signature);
  return box;
}

}  // namespace

Bytes of_advert(const RosterMember& member) {
  FieldWriter writer;
  writer.counted(member.certificate).fixed(member.advert.cipher.bytes);
  writer.fixed(member.advert.mask.bytes).fixed(member.advert.commit).fixed(member.advert.nonce);
  writer.fixed(member.advert.possession);
  return writer.fixed(member.signature).take();
}

Result<RosterMember> advert_from(ByteView bytes) {
  FieldReader reader(bytes);
  RosterMember member;
  member.certificate = to_bytes(reader.counted(limits::kCertificateBytesMax));
  reader.fixed_into(member.advert.cipher.bytes);
  reader.fixed_into(member.advert.mask.bytes);
  reader.fixed_into(member.advert.commit);
  reader.fixed_into(member.advert.nonce);
  reader.fixed_into(member.advert.possession);
  reader.fixed_into(member.signature);
  if (!reader.done()) return broken("advert", bytes);
  return member;
}

Bytes of_boxes(const std::vector<SignedBox>& boxes) {
  FieldWriter writer;
  for (const SignedBox& box : boxes) writer.number(box.peer).fixed(box.box).fixed(box.signature);
  return writer.take();
}

Result<std::vector<SignedBox>> boxes_from(ByteView bytes) {
  FieldReader reader(bytes);
  std::vector<SignedBox> boxes;
  while (reader.left() > 0 && !reader.failed()) boxes.push_back(read_box(reader));
  if (!reader.done()) return broken("boxes", bytes);
  return boxes;
}

std::optional<secagg::SealedShare> box_for(ByteView boxes, std::uint32_t peer) {
  for (; boxes.size() >= kBoxRecordBytes; boxes = boxes.subspan(kBoxRecordBytes)) {
    FieldReader reader(boxes.first(kBoxRecordBytes));
    const SignedBox box = read_box(reader);
    if (box.peer == peer) return secagg::SealedShare{peer, box.box};
  }
  return std::nullopt;
}

Bytes of_shares(const std::vector<secagg::RevealedShare>& shares) {
  FieldWriter writer;
  for (const secagg::RevealedShare& share : shares)
    writer.number(share.of)
        .number(static_cast<std::uint8_t>(share.self_mask ? 1 : 0))
        .fixed(share.value);
  return writer.take();
}

Result<std::vector<secagg::RevealedShare>> shares_from(ByteView bytes) {
  FieldReader reader(bytes);
  std::vector<secagg::RevealedShare> shares;
  while (reader.left() > 0 && !reader.failed()) {
    secagg::RevealedShare share;
    share.of = reader.number<std::uint32_t>();
    const auto kind = reader.number<std::uint8_t>();
    if (kind > 1) return broken("shares", bytes);
    share.self_mask = kind == 1;
    reader.fixed_into(share.value);
    shares.push_back(share);
  }
  if (!reader.done()) return broken("shares", bytes);
  return shares;
}

Result<Signature> signature_from(ByteView bytes) {
  FieldReader reader(bytes);
  Signature signature{};
  reader.fixed_into(signature);
  if (!reader.done()) return broken("signature", bytes);
  return signature;
}

}  // namespace freshet::papers
