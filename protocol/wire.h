#pragma once
// Messages to and from their Cap'n Proto form, for the codec alone. Readers check every length,
// text, enum and float against limits.h; besides returning errors they throw kj::Exception on
// malformed pointers, which codec.cpp catches.

#include "base/check.h"
#include "base/limits.h"
#include "protocol/messages.h"
#include "protocol/schema.capnp.h"

namespace freshet {

// Fills the message and gives the data that follows it. REQUIRES: values within limits.h (a bug of
// ours otherwise).
ByteView write(wire::NodeMessage::Builder to, const NodeMessage& message);
ByteView write(wire::CoordinatorMessage::Builder to, const CoordinatorMessage& message);
void write(wire::Plan::Builder to, const CampaignPlan& plan);

// `data` is what followed the message in its frame.
Result<NodeMessage> read(wire::NodeMessage::Reader from, ByteView data);
Result<CoordinatorMessage> read(wire::CoordinatorMessage::Reader from, ByteView data);
Result<CampaignPlan> read(wire::Plan::Reader from);

Result<std::string> read_text(capnp::Text::Reader from, std::string_view field);
Result<Digest> read_bytes32(capnp::Data::Reader from, std::string_view field);
std::string tidy(std::string text);  // cut to limits::kTextBytesMax, without control characters
inline capnp::Text::Reader as_capnp_text(std::string_view text) {
  CHECK(text.size() <= limits::kTextBytesMax, "a text of {} bytes", text.size());
  return {text.data(), text.size()};
}
inline capnp::Data::Reader as_capnp_data(ByteView bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace freshet
