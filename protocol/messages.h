#pragma once
// What the parties say to each other, as plain structs. The wire form is schema.capnp, the codec codec.h; bytes are in
// docs/protocol.md. Nothing here can carry private text, an Update or a QuantizedUpdate: only a SealedUpdate's bytes.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "protocol/plan.h"

namespace freshet {

// ---- node -> coordinator

struct Hello {  // first on every connection, and again when nothing was heard for long
  std::uint32_t protocol = 1;
  std::string software;
  Digest model{};
};
enum class Activity : std::uint8_t { kIdle, kFetching, kTraining, kReady, kUploading };
struct Heartbeat {  // liveness and progress; no loss, no text statistic
  CampaignId campaign;
  VersionId base;
  Activity activity = Activity::kIdle;
};
struct Ready {  // a contribution from `base` is stored, sealed, on the node
  CampaignId campaign;
  VersionId base;
};
struct Fetch {  // asks for the chunk of a blob at `offset`
  Digest blob{};
  std::uint64_t offset = 0;
};
struct UploadChunk {  // of the bytes of a SealedUpdate
  CampaignId campaign;
  RoundId round;
  Digest blob{};
  std::uint64_t size = 0, offset = 0;
  Bytes data;
};

// ---- coordinator -> node

struct Announce {  // train from this version; sent on Hello, after every published version, and when asked again
  CampaignId campaign;
  CampaignPlan plan;
  VersionId version;
  Digest adapter{};  // blob of little-endian f32 in adapter layout order
  std::uint64_t adapter_bytes = 0;
  Digest layout{};   // of the phase: digest_of("freshet/layout/v1", canonical_bytes(phase_layout))
};
struct Invite {  // the cohort of a round is formed and you are in it: send your contribution from `base`
  CampaignId campaign;
  RoundId round;
  VersionId base;
  std::uint32_t cohort = 0;
  std::int64_t remaining_ms = 0;
  SealingPublic seal_to;
};
struct ChunkAck {  // durable up to next_offset; == size: verified, durable and journaled
  RoundId round;
  Digest blob{};
  std::uint64_t next_offset = 0;
};
struct Chunk {
  Digest blob{};
  std::uint64_t size = 0, offset = 0;
  Bytes data;
};
struct Receipt {  // a round ended; `survivors` are in the sum, in rising order
  CampaignId campaign;
  RoundId round;
  bool published = false;  // false: aborted, `version` is still the base
  VersionId version;
  std::vector<NodeId> survivors;
};
struct Finished {
  CampaignId campaign;
  VersionId version;
};
struct Refused {
  Code code = Code::kRefused;
  std::string why;
};

using NodeMessage = std::variant<Hello, Heartbeat, Ready, Fetch, UploadChunk>;
using CoordinatorMessage = std::variant<Announce, Invite, ChunkAck, Chunk, Receipt, Finished, Refused>;

}  // namespace freshet
