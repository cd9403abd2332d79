#include "edge_node/coordinator_link.h"

#include <fmt/format.h>

#include <chrono>

#include "base/limits.h"
#include "base/log.h"
#include "protocol/codec.h"

namespace freshet {
namespace {

// Rises over restarts too.
std::uint64_t first_sequence() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count());
}

}  // namespace

CoordinatorLink::CoordinatorLink(Transport& transport, const Identity& identity, Options options)
    : transport_(transport),
      identity_(identity),
      options_(std::move(options)),
      sequence_(first_sequence()) {}

Result<void> CoordinatorLink::send(const NodeMessage& message, Instant now) {
  Bytes frame = encode(message, {identity_.open.id(), ++sequence_, form_}, identity_);
  TRY(record(fmt::format("{:08}.frame", ++recorded_), frame));
  if (outbox_.empty() && hand_over(frame)) return {};
  if (outbox_.size() >= limits::kOutboxFrames) outbox_.pop_front();
  outbox_.push_back({std::move(frame), now});
  return {};
}

void CoordinatorLink::flush(Instant now) {
  while (!outbox_.empty()) {
    if (!hand_over(outbox_.front().frame) && now - outbox_.front().since < limits::kOutboxMs)
      return;
    outbox_.pop_front();
  }
}

bool CoordinatorLink::hand_over(ByteView frame) {
  auto sent = transport_.send(options_.coordinator.transport, frame);
  if (sent) bytes_up_ += frame.size();
  return sent.has_value();
}

Result<std::optional<CoordinatorMessage>> CoordinatorLink::receive() {
  for (int looked = 0; looked < limits::kFramesPerTurn; ++looked) {
    TRY_ASSIGN(std::optional<Inbound> inbound, transport_.receive());
    if (!inbound) break;
    bytes_down_ += inbound->frame.size();
    auto decoded = decode_from_coordinator(inbound->frame, options_.coordinator.signing);
    if (decoded && decoded->header.sequence > received_) {
      received_ = decoded->header.sequence;
      if (const auto* announce = std::get_if<Announce>(&decoded->message))
        form_ = form_for(announce->frames);
      return std::move(decoded->message);
    }
    if (bad_frames_++ % 1000 == 0)
      log::warning("dropped a frame: {}",
                   decoded ? "its sequence does not rise" : decoded.error().what);
  }
  return std::optional<CoordinatorMessage>();
}

Result<void> CoordinatorLink::record(std::string_view name, ByteView plain) const {
  if (options_.record.empty()) return {};
  return write_file_durably(options_.record / name, plain, 0600);
}

}  // namespace freshet
