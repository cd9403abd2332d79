#pragma once
// The masked round's messages to and from their Cap'n Proto form, for wire_messages.cpp alone.

#include "protocol/wire.h"

namespace freshet {

ByteView fill(wire::NodeMessage::Builder root, const Advertise& message);
ByteView fill(wire::NodeMessage::Builder root, const ShareBundle& message);
ByteView fill(wire::NodeMessage::Builder root, const Complaint& message);
ByteView fill(wire::NodeMessage::Builder root, const AgreeSurvivors& message);
ByteView fill(wire::NodeMessage::Builder root, const AgreeAbort& message);
ByteView fill(wire::NodeMessage::Builder root, const Reveal& message);
ByteView fill(wire::NodeMessage::Builder root, const Decline& message);
ByteView fill(wire::CoordinatorMessage::Builder root, const MaskedInvite& message);
ByteView fill(wire::CoordinatorMessage::Builder root, const RosterPage& message);
ByteView fill(wire::CoordinatorMessage::Builder root, const Forward& message);
ByteView fill(wire::CoordinatorMessage::Builder root, const Survivors& message);
ByteView fill(wire::CoordinatorMessage::Builder root, const Quorum& message);
ByteView fill(wire::CoordinatorMessage::Builder root, const AskAbort& message);

void write(wire::MaskedReceipt::Builder to, const MaskedReceipt& receipt);
Result<MaskedReceipt> read(wire::MaskedReceipt::Reader from);

// Every kind that wire_messages.cpp does not read itself; kBadInput for one that nobody knows.
Result<NodeMessage> read_masked(wire::NodeMessage::Reader from);
Result<CoordinatorMessage> read_masked(wire::CoordinatorMessage::Reader from);

}  // namespace freshet
