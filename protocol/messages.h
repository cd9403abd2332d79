#pragma once
// What the parties say to each other, as plain structs. The wire form is schema.capnp, the codec
// codec.h; bytes are in docs/protocol.md. Nothing here can carry private text, an Update or a
// QuantizedUpdate: only the bytes of a SealedUpdate or of a MaskedUpdate.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "protocol/plan.h"
#include "protocol/secagg_messages.h"

namespace freshet {

// ---- node -> coordinator

struct Hello {  // first on every connection, and again when nothing was heard for long
  std::uint32_t protocol = 1;
  std::string software;
  Digest model{};
  std::uint16_t frames = 0;  // the newest form of frame (codec.h) that the sender reads; 0 is 1
  bool operator==(const Hello&) const = default;
};
enum class Activity : std::uint8_t { kIdle, kFetching, kTraining, kReady, kUploading };
struct Heartbeat {  // liveness and progress; no loss, no text statistic
  CampaignId campaign;
  VersionId base;
  Activity activity = Activity::kIdle;
  bool operator==(const Heartbeat&) const = default;
};
struct Ready {  // a contribution from `base` is stored, sealed, on the node
  CampaignId campaign;
  VersionId base;
  bool operator==(const Ready&) const = default;
};
struct Fetch {  // asks for the chunk of a blob at `offset`
  Digest blob{};
  std::uint64_t offset = 0;
  bool operator==(const Fetch&) const = default;
};
struct UploadChunk {  // of the bytes of a SealedUpdate, or of a masked frame
  CampaignId campaign;
  RoundId round;
  Digest blob{};
  std::uint64_t size = 0, offset = 0;
  Bytes data;
  bool operator==(const UploadChunk&) const = default;
};

// ---- coordinator -> node

struct Announce {  // train from this version; sent on Hello, after every published version, and
                   // when asked again
  CampaignId campaign;
  CampaignPlan plan;
  VersionId version;
  Digest adapter{};  // blob of little-endian f32 in adapter layout order
  std::uint64_t adapter_bytes = 0;
  Digest layout{};  // of the phase: digest_of("freshet/layout/v1", canonical_bytes(phase_layout))
  std::uint16_t frames = 0;  // as in Hello
  bool operator==(const Announce&) const = default;
};
struct Invite {  // the cohort of a round is formed and you are in it: send your contribution from
                 // `base`
  CampaignId campaign;
  RoundId round;
  VersionId base;
  std::uint32_t cohort = 0;
  std::int64_t remaining_ms = 0;
  SealingPublic seal_to;
  bool operator==(const Invite&) const = default;
};
struct ChunkAck {  // durable up to next_offset; == size: verified, durable and journaled
  RoundId round;
  Digest blob{};
  std::uint64_t next_offset = 0;
  std::uint32_t credit = 0;  // chunks beyond next_offset that may be under way; 0 is 1
  bool operator==(const ChunkAck&) const = default;
};
struct Chunk {
  Digest blob{};
  std::uint64_t size = 0, offset = 0;
  Bytes data;
  bool operator==(const Chunk&) const = default;
};
struct MaskedReceipt {
  Digest sid{}, survivors{};  // index_list_digest()
  std::uint32_t count = 0;    // of survivors
  Digest sum{};               // digest_of("freshet/sum/v1", unmasked words as u32)
  double epsilon = 0;         // that the campaign has spent so far; 0 without privacy
  Signature signature{};      // of the coordinator, signed_receipt()
  bool operator==(const MaskedReceipt&) const = default;
};
struct Receipt {  // a round ended; `survivors` are in the sum, in rising order
  CampaignId campaign;
  RoundId round;
  bool published = false;  // false: aborted, `version` is still the base
  VersionId version;
  std::vector<NodeId> survivors;
  std::optional<MaskedReceipt> masked = {};  // of a published masked round
  bool operator==(const Receipt&) const = default;
};
inline constexpr std::string_view kReceiptDomain = "freshet/receipt/v1";
Bytes signed_receipt(const Receipt& receipt);  // REQUIRES: receipt.masked
struct Finished {
  CampaignId campaign;
  VersionId version;
  bool operator==(const Finished&) const = default;
};
struct Refused {
  Code code = Code::kRefused;
  std::string why;  // cut to limits::kTextBytesMax, control characters become spaces
  bool operator==(const Refused&) const = default;
};

using NodeMessage =
    std::variant<Hello, Heartbeat, Ready, Fetch, UploadChunk, Advertise, ShareBundle, Complaint,
                 AgreeSurvivors, AgreeAbort, Reveal, Decline>;
using CoordinatorMessage =
    std::variant<Announce, Invite, ChunkAck, Chunk, Receipt, Finished, Refused, MaskedInvite,
                 RosterPage, Forward, Survivors, Quorum, AskAbort>;

}  // namespace freshet
