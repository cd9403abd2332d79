#include "protocol/wire_records.h"
#include "protocol/wire_secagg.h"

namespace freshet {

using namespace records;

namespace {

Result<Advertise> read_one(wire::Advertise::Reader from) {
  Advertise message;
  TRY_ASSIGN(message.sid, read_bytes32(from.getSid(), "sid"));
  TRY_ASSIGN(RosterMember member, read_member(from));
  message.certificate = std::move(member.certificate);
  message.advert = member.advert;
  message.signature = member.signature;
  return message;
}

Result<ShareBundle> read_one(wire::ShareBundle::Reader from) {
  ShareBundle message;
  TRY_ASSIGN(message.sid, read_bytes32(from.getSid(), "sid"));
  TRY_ASSIGN(message.roster, read_bytes32(from.getRoster(), "roster"));
  TRY_ASSIGN(message.boxes, read_records<SignedBox>(from.getBoxes(), "boxes", kBoxRecordBytes));
  return message;
}

Result<Complaint> read_one(wire::Complaint::Reader from) {
  Complaint message;
  TRY_ASSIGN(message.sid, read_bytes32(from.getSid(), "sid"));
  TRY_ASSIGN(const auto boxes, read_records<SignedBox>(from.getBox(), "box", kBoxRecordBytes));
  if (boxes.size() != 1) return fail(Code::kBadInput, "a complaint is about one box");
  message.box = boxes[0];
  std::array<std::uint8_t, kEvidenceBytes> evidence{};
  TRY(read_exactly(from.getEvidence(), "evidence", evidence));
  Record record(evidence.data());
  record.into(message.evidence.shared);
  record.into(message.evidence.proof);
  TRY(read_exactly(from.getSignature(), "signature", message.signature));
  return message;
}

template <class Message>
Result<Message> read_agreement(wire::Agreement::Reader from) {
  Message message;
  TRY_ASSIGN(message.sid, read_bytes32(from.getSid(), "sid"));
  TRY(read_exactly(from.getSignature(), "signature", message.signature));
  return message;
}

Result<Reveal> read_one(wire::Reveal::Reader from) {
  Reveal message;
  TRY_ASSIGN(message.sid, read_bytes32(from.getSid(), "sid"));
  TRY_ASSIGN(message.shares,
             read_records<secagg::RevealedShare>(from.getShares(), "shares", kShareRecordBytes));
  return message;
}

Result<Decline> read_one(wire::Decline::Reader from) {
  Decline message;
  TRY_ASSIGN(message.sid, read_bytes32(from.getSid(), "sid"));
  if (from.getWhy() > wire::Decline::Why::FAILED)
    return fail(Code::kBadInput, "a reason that this program does not know");
  message.why = static_cast<Declined>(from.getWhy());
  return message;
}
static_assert(static_cast<int>(wire::Decline::Why::FAILED) == static_cast<int>(Declined::kFailed));

}  // namespace

ByteView fill(wire::NodeMessage::Builder root, const Advertise& message) {
  auto to = root.initAdvertise();
  to.setSid(as_capnp_data(message.sid));
  write(to, message.certificate, message.advert, message.signature);
  return {};
}

ByteView fill(wire::NodeMessage::Builder root, const ShareBundle& message) {
  auto to = root.initShareBundle();
  to.setSid(as_capnp_data(message.sid));
  to.setRoster(as_capnp_data(message.roster));
  to.setBoxes(as_capnp_data(bytes_of("boxes", message.boxes)));
  return {};
}

ByteView fill(wire::NodeMessage::Builder root, const Complaint& message) {
  auto to = root.initComplaint();
  to.setSid(as_capnp_data(message.sid));
  to.setBox(as_capnp_data(bytes_of("box", std::vector<SignedBox>{message.box})));
  Bytes evidence(message.evidence.shared.begin(), message.evidence.shared.end());
  append(evidence, ByteView(message.evidence.proof));
  to.setEvidence(as_capnp_data(evidence));
  to.setSignature(as_capnp_data(message.signature));
  return {};
}

ByteView fill(wire::NodeMessage::Builder root, const AgreeSurvivors& message) {
  auto to = root.initAgreeSurvivors();
  to.setSid(as_capnp_data(message.sid));
  to.setSignature(as_capnp_data(message.signature));
  return {};
}

ByteView fill(wire::NodeMessage::Builder root, const AgreeAbort& message) {
  auto to = root.initAgreeAbort();
  to.setSid(as_capnp_data(message.sid));
  to.setSignature(as_capnp_data(message.signature));
  return {};
}

ByteView fill(wire::NodeMessage::Builder root, const Reveal& message) {
  auto to = root.initReveal();
  to.setSid(as_capnp_data(message.sid));
  to.setShares(as_capnp_data(bytes_of("shares", message.shares)));
  return {};
}

ByteView fill(wire::NodeMessage::Builder root, const Decline& message) {
  auto to = root.initDecline();
  to.setSid(as_capnp_data(message.sid));
  to.setWhy(static_cast<wire::Decline::Why>(message.why));
  return {};
}

Result<NodeMessage> read_masked(wire::NodeMessage::Reader from) {
  using Message = NodeMessage;
  switch (from.which()) {
    case wire::NodeMessage::ADVERTISE: return as<Message>(read_one(from.getAdvertise()));
    case wire::NodeMessage::SHARE_BUNDLE: return as<Message>(read_one(from.getShareBundle()));
    case wire::NodeMessage::COMPLAINT: return as<Message>(read_one(from.getComplaint()));
    case wire::NodeMessage::AGREE_SURVIVORS:
      return as<Message>(read_agreement<AgreeSurvivors>(from.getAgreeSurvivors()));
    case wire::NodeMessage::AGREE_ABORT:
      return as<Message>(read_agreement<AgreeAbort>(from.getAgreeAbort()));
    case wire::NodeMessage::REVEAL: return as<Message>(read_one(from.getReveal()));
    case wire::NodeMessage::DECLINE: return as<Message>(read_one(from.getDecline()));
    default: return fail(Code::kBadInput, "a message that this program does not know");
  }
}

}  // namespace freshet
