#include <cmath>

#include "protocol/wire_records.h"
#include "protocol/wire_secagg.h"

namespace freshet {

using namespace records;

namespace {

constexpr std::size_t kAbortedMax = limits::kRoundAbortsMax;

template <class Signed>
void write_signed(wire::Quorum::Builder to, const Signed& message) {
  to.setSid(as_capnp_data(message.sid));
  to.setSignatures(as_capnp_data(bytes_of("signatures", message.signatures)));
}
template <class Signed>
Result<Signed> read_signed(wire::Quorum::Reader from) {
  Signed message;
  TRY_ASSIGN(message.sid, read_bytes32(from.getSid(), "sid"));
  TRY_ASSIGN(message.signatures,
             read_records<IndexedSignature>(from.getSignatures(), "signatures", kVoteRecordBytes));
  return message;
}

Result<MaskedInvite> read_one(wire::MaskedInvite::Reader from) {
  MaskedInvite message;
  message.campaign = {from.getCampaign()};
  TRY_ASSIGN(message.descriptor, read_document(from.getDescriptor(), "descriptor"));
  TRY(read_exactly(from.getSignature(), "signature", message.signature));
  message.remaining_ms = from.getRemainingMs();
  if (message.remaining_ms < 0 || message.remaining_ms > limits::kRoundMsMax)
    return fail(Code::kBadInput, fmt::format("an invitation for {} ms", message.remaining_ms));
  if (from.getAborted().size() > kAbortedMax)
    return fail(Code::kBadInput, "an invitation with too many abort certificates");
  for (const auto each : from.getAborted()) {
    TRY_ASSIGN(AbortCertificate certificate, read_signed<AbortCertificate>(each));
    message.aborted.push_back(std::move(certificate));
  }
  return message;
}

Result<RosterPage> read_one(wire::RosterPage::Reader from) {
  RosterPage message;
  TRY_ASSIGN(message.sid, read_bytes32(from.getSid(), "sid"));
  TRY_ASSIGN(message.opening, read_bytes32(from.getOpening(), "opening"));
  TRY_ASSIGN(message.trust, read_bytes32(from.getTrust(), "trust"));
  message.trust_bytes = from.getTrustBytes();
  message.first = from.getFirst();
  message.total = from.getTotal();
  const std::uint64_t count = from.getMembers().size();
  if (count > limits::kRosterPageMembers || message.total > limits::kMaskedCohortMax ||
      message.first + count > message.total || message.trust_bytes > limits::kBlobBytesMax)
    return fail(Code::kBadInput, fmt::format("a roster's page of {} members from {} of {}", count,
                                             message.first, message.total));
  for (const auto each : from.getMembers()) {
    TRY_ASSIGN(RosterMember member, read_member(each));
    message.members.push_back(std::move(member));
  }
  return message;
}

Result<Forward> read_one(wire::Forward::Reader from) {
  Forward message;
  TRY_ASSIGN(message.sid, read_bytes32(from.getSid(), "sid"));
  TRY_ASSIGN(message.sharers, read_places(from.getSharers(), "sharers"));
  TRY_ASSIGN(message.boxes, read_records<SignedBox>(from.getBoxes(), "boxes", kBoxRecordBytes));
  return message;
}

Result<Survivors> read_one(wire::Survivors::Reader from) {
  Survivors message;
  TRY_ASSIGN(message.sid, read_bytes32(from.getSid(), "sid"));
  TRY_ASSIGN(message.survivors, read_places(from.getSurvivors(), "survivors"));
  return message;
}

Result<AskAbort> read_one(wire::AskAbort::Reader from) {
  AskAbort message;
  TRY_ASSIGN(message.sid, read_bytes32(from.getSid(), "sid"));
  TRY_ASSIGN(message.why, read_text(from.getWhy(), "why"));
  return message;
}

}  // namespace

ByteView fill(wire::CoordinatorMessage::Builder root, const MaskedInvite& message) {
  CHECK(message.aborted.size() <= kAbortedMax, "{} abort certificates", message.aborted.size());
  CHECK(message.descriptor.size() <= limits::kCertificateBytesMax, "a descriptor of {} bytes",
        message.descriptor.size());
  auto to = root.initMaskedInvite();
  to.setCampaign(message.campaign.value);
  to.setDescriptor(as_capnp_data(message.descriptor));
  to.setSignature(as_capnp_data(message.signature));
  to.setRemainingMs(std::clamp<std::int64_t>(message.remaining_ms, 0, limits::kRoundMsMax));
  auto list = to.initAborted(static_cast<unsigned>(message.aborted.size()));
  for (unsigned i = 0; i < list.size(); ++i) write_signed(list[i], message.aborted[i]);
  return {};
}

ByteView fill(wire::CoordinatorMessage::Builder root, const RosterPage& message) {
  CHECK(message.members.size() <= limits::kRosterPageMembers, "{}", message.members.size());
  auto to = root.initRosterPage();
  to.setSid(as_capnp_data(message.sid));
  to.setOpening(as_capnp_data(message.opening));
  to.setTrust(as_capnp_data(message.trust));
  to.setTrustBytes(message.trust_bytes);
  to.setFirst(message.first);
  to.setTotal(message.total);
  auto list = to.initMembers(static_cast<unsigned>(message.members.size()));
  for (unsigned i = 0; i < list.size(); ++i) {
    const RosterMember& member = message.members[i];
    write(list[i], member.certificate, member.advert, member.signature);
  }
  return {};
}

ByteView fill(wire::CoordinatorMessage::Builder root, const Forward& message) {
  auto to = root.initForward();
  to.setSid(as_capnp_data(message.sid));
  write_places(to.initSharers(count_of(message.sharers, "sharers")), message.sharers);
  to.setBoxes(as_capnp_data(bytes_of("boxes", message.boxes)));
  return {};
}

ByteView fill(wire::CoordinatorMessage::Builder root, const Survivors& message) {
  auto to = root.initSurvivors();
  to.setSid(as_capnp_data(message.sid));
  write_places(to.initSurvivors(count_of(message.survivors, "survivors")), message.survivors);
  return {};
}

ByteView fill(wire::CoordinatorMessage::Builder root, const Quorum& message) {
  write_signed(root.initQuorum(), message);
  return {};
}

ByteView fill(wire::CoordinatorMessage::Builder root, const AskAbort& message) {
  auto to = root.initAskAbort();
  to.setSid(as_capnp_data(message.sid));
  to.setWhy(as_capnp_text(tidy(message.why)));
  return {};
}

void write(wire::MaskedReceipt::Builder to, const MaskedReceipt& receipt) {
  to.setSid(as_capnp_data(receipt.sid));
  to.setSurvivors(as_capnp_data(receipt.survivors));
  to.setCount(receipt.count);
  to.setSum(as_capnp_data(receipt.sum));
  to.setEpsilon(receipt.epsilon);
  to.setSignature(as_capnp_data(receipt.signature));
}

Result<MaskedReceipt> read(wire::MaskedReceipt::Reader from) {
  MaskedReceipt receipt;
  TRY_ASSIGN(receipt.sid, read_bytes32(from.getSid(), "sid"));
  TRY_ASSIGN(receipt.survivors, read_bytes32(from.getSurvivors(), "survivors"));
  TRY_ASSIGN(receipt.sum, read_bytes32(from.getSum(), "sum"));
  TRY(read_exactly(from.getSignature(), "signature", receipt.signature));
  receipt.count = from.getCount();
  receipt.epsilon = from.getEpsilon();
  if (!std::isfinite(receipt.epsilon) || receipt.epsilon < 0)
    return fail(Code::kBadInput, "a receipt whose epsilon is no number");
  return receipt;
}

Result<CoordinatorMessage> read_masked(wire::CoordinatorMessage::Reader from) {
  using Message = CoordinatorMessage;
  switch (from.which()) {
    case wire::CoordinatorMessage::MASKED_INVITE:
      return as<Message>(read_one(from.getMaskedInvite()));
    case wire::CoordinatorMessage::ROSTER_PAGE: return as<Message>(read_one(from.getRosterPage()));
    case wire::CoordinatorMessage::FORWARD: return as<Message>(read_one(from.getForward()));
    case wire::CoordinatorMessage::SURVIVORS: return as<Message>(read_one(from.getSurvivors()));
    case wire::CoordinatorMessage::QUORUM:
      return as<Message>(read_signed<Quorum>(from.getQuorum()));
    case wire::CoordinatorMessage::ASK_ABORT: return as<Message>(read_one(from.getAskAbort()));
    default: return fail(Code::kBadInput, "a message that this program does not know");
  }
}

}  // namespace freshet
