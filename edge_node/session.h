#pragma once
// A node's part in one campaign as a pure function: fetch the adapter, train, keep the contribution, answer invitations
// with it, wait for the receipt. It decides; the driver fetches, trains, stores, seals and sends. Nothing here is
// journaled: what must outlive the process is the contribution store, whose content comes back in Restarted.
// One contribution per (campaign, base version), ever.

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "protocol/messages.h"

namespace freshet::session {

struct Base {  // a version to train from
  CampaignId campaign;
  VersionId version;
  Digest adapter{};
  std::uint64_t adapter_bytes = 0;
  bool operator==(const Base&) const = default;
};
struct Contribution {  // in the contribution store, durable
  Base base;
  Digest digest{};  // of the stored (clipped, quantised) update
  bool operator==(const Contribution&) const = default;
};
struct Upload {  // a contribution sealed for one round, durable beside it: the same bytes on every try
  RoundId round;
  Digest blob{};
  std::uint64_t size = 0;
  bool operator==(const Upload&) const = default;
};

// ---- phases

struct Idle {
  std::optional<Base> failed;  // training from it failed too often
  bool operator==(const Idle&) const = default;
};
struct Fetching {
  Base base;
  bool operator==(const Fetching&) const = default;
};
struct Training {
  Base base;
  bool running = true;  // false: waits to try again
  bool operator==(const Training&) const = default;
};
struct Ready {
  Contribution contribution;
  bool operator==(const Ready&) const = default;
};
struct Uploading {
  Contribution contribution;
  RoundId round;
  Instant deadline;
  std::optional<Upload> upload;  // empty until sealed
  std::uint64_t next_offset = 0;
  bool operator==(const Uploading&) const = default;
};
struct Waiting {
  Contribution contribution;
  RoundId round;
  Instant deadline;
  std::optional<Upload> upload;
  bool operator==(const Waiting&) const = default;
};
struct Exchanging {  // a masked round, by edge_node/exchange.h
  Contribution contribution;
  RoundId round;
  Digest sid{};
  bool operator==(const Exchanging&) const = default;
};
struct Done {
  CampaignId campaign;
  VersionId version;
  bool operator==(const Done&) const = default;
};
using Phase = std::variant<Idle, Fetching, Training, Ready, Uploading, Waiting, Exchanging, Done>;

struct Session {
  Phase phase;
  std::optional<Upload> sealed;  // the last one: used again when its round is asked for again
  bool connected = false;
  Instant heartbeat_at;          // the next one
  Instant retry_at;              // what is under way is tried again then
  std::uint32_t failures = 0;    // in a row; the back-off doubles with each
  bool forgot = false;           // the contribution under way is for no other round
  bool operator==(const Session&) const = default;
};

// ---- events

struct Connected { Instant now; };  // also after the transport was made anew
struct Announced { Base base; Instant now; };
struct BlobArrived { Digest blob{}; Instant now; };             // whole and verified
struct Trained { Contribution contribution; Instant now; };     // and stored durably; dropped again when it is late
struct TrainerFailed { VersionId base; Instant now; };
struct Invited { CampaignId campaign; RoundId round; VersionId base; std::int64_t remaining_ms = 0; Instant now; };
struct MaskedInvited { CampaignId campaign; RoundId round; VersionId base; Digest sid{}; Instant now; };  // and admitted
struct ExchangeEnded { Digest sid{}; bool published = false; Instant now; };
struct Sealed { Upload upload; Instant now; };                  // and stored durably
struct ChunkAcked { RoundId round; Digest blob{}; std::uint64_t next_offset = 0; Instant now; };
struct ReceiptArrived { CampaignId campaign; RoundId round; bool published = false; VersionId version; Instant now; };
struct FinishedArrived { CampaignId campaign; VersionId version; Instant now; };
struct RefusedArrived { Code code = Code::kRefused; Instant now; };
struct Forgot {
  Instant now;
};                             // text that the contribution may come from: it is for no later round
struct Tick { Instant now; };  // at least every second
struct Restarted { std::optional<Contribution> contribution; std::optional<Upload> sealed; Instant now; };
using Event = std::variant<Connected, Announced, BlobArrived, Trained, TrainerFailed, Invited,
                           MaskedInvited, ExchangeEnded, Sealed, ChunkAcked, ReceiptArrived,
                           FinishedArrived, RefusedArrived, Forgot, Tick, Restarted>;

// ---- effects

struct SendHello {};
struct SendHeartbeat { CampaignId campaign; VersionId base; Activity activity = Activity::kIdle; };
struct SendReady { CampaignId campaign; VersionId base; };
struct FetchBlob { Digest blob{}; std::uint64_t size = 0; };  // goes on from what is staged; answer BlobArrived
struct StartTraining { Base base; };                          // answer Trained or TrainerFailed
struct StopTraining { VersionId base; };                      // a newer version is there; no answer is needed
struct SealUpload { Contribution contribution; RoundId round; };  // answer Sealed
struct SendUpload { RoundId round; Digest blob{}; std::uint64_t size = 0, offset = 0; };  // chunks from `offset` on
struct JoinExchange { Contribution contribution; RoundId round; Digest sid{}; };  // ends in ExchangeEnded
struct LeaveExchange { Digest sid{}; };  // no answer is needed
struct DropContribution { CampaignId campaign; VersionId base; };  // and what was sealed of it
using Effect = std::variant<SendHello, SendHeartbeat, SendReady, FetchBlob, StartTraining, StopTraining, SealUpload,
                            SendUpload, JoinExchange, LeaveExchange, DropContribution>;

struct Step {
  Session next;
  std::vector<Effect> effects;
  bool accepted = false;  // false: next equals the state before; effects may still answer or clean up
};

[[nodiscard]] Step step(Session state, const Event& event);

// When the next Tick may do something; until then only other events do. Nothing: never.
std::optional<Instant> due(const Session& session);

Activity activity_of(const Session& session);
std::optional<Base> base_of(const Session& session);  // what it works on or holds a contribution from

}  // namespace freshet::session
