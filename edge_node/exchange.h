#pragma once
// One masked round on a node as a pure function (Bonawitz et al. 2017, with the signed agreement on who survived):
// advertise keys, deal shares, send the masked vector, sign one list of survivors, reveal. It decides, by the node's
// own rules and never by the coordinator's, whether the round goes on; the driver holds the round's secret keys
// (secagg::RoundKeys) and checks signatures and boxes. Events carry public facts and digests, never a secret. An
// exchange that is over stays over: the node's next round has another sid and other keys.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/limits.h"
#include "edge_node/chunk_window.h"
#include "protocol/secagg_messages.h"

namespace freshet::exchange {

using Members = std::vector<std::uint32_t>;  // places in the roster, rising and distinct

struct Rules {                   // of the node's own policy (edge_node/policy.h)
  std::uint32_t honest_min = 4;  // survivors that are honest, at least, when `corrupt` of the roster is not
  Fraction corrupt{1, 3};        // of a roster, that may work together with the coordinator
  bool operator==(const Rules&) const = default;
};
struct Terms {
  Digest sid{};
  CampaignId campaign;
  RoundId round;
  VersionId base;
  Rules rules;
  std::int64_t patience_ms = 120'000;  // without progress for so long: the node leaves, and wipes its keys
  std::int64_t lifetime_ms = 6 * limits::kRoundMsMax;  // from beginning to end, whatever progress there is
  bool operator==(const Terms&) const = default;
};

// A roster that passed check_roster(), and what follows from it.
struct Roster {
  Digest digest{};
  std::uint32_t members = 0, own = 0;  // n; this node's place
  std::uint32_t quorum = 0;            // t: sharers, survivors and signatures that it takes
  std::uint32_t shares = 0;            // of one secret, that rebuild it; == quorum on the complete graph
  Members neighbours;                  // without `own`
  bool operator==(const Roster&) const = default;
};
struct Frame {  // the masked vector under its signature
  Digest blob{};
  std::uint64_t size = 0;
  bool operator==(const Frame&) const = default;
};
enum class Choice : std::uint8_t { kNone, kSurvivors, kAbort };  // what was signed for this sid: one, once

// ---- phases

struct Advertised {
  bool operator==(const Advertised&) const = default;
};
struct Shared {
  Roster roster;
  bool operator==(const Shared&) const = default;
};
struct Masked {  // the vector may have left
  Roster roster;
  Members sharers;             // U2
  bool spent = false;          // the base, durably
  std::optional<Frame> frame;  // empty until the vector is masked
  ChunkWindow window = {};
  std::uint64_t arrived = 0;      // the furthest that the coordinator had; only more is progress
  bool operator==(const Masked&) const = default;
};
struct Agreed {  // survivors are signed
  Roster roster;
  Members sharers, survivors;  // U2, U3
  bool operator==(const Agreed&) const = default;
};
struct Revealed {  // the keys are wiped
  Roster roster;
  Members sharers, survivors;
  bool operator==(const Revealed&) const = default;
};
enum class Ending : std::uint8_t {
  kFinished,  // its receipt came, or a later version
  kRefused,   // the coordinator asked for what this node does not give: `why` is for its people
  kDropped,   // the round goes on without this node
  kAborted,   // the coordinator gave it up
  kExpired,   // nothing came for too long
  kFailed,    // this node could not go on
};
struct Over {
  Ending ending = Ending::kFailed;
  std::string why;
  Choice choice = Choice::kNone;
  bool rostered = false;  // was in a roster: its signature under an abort counts
  bool operator==(const Over&) const = default;
};
using Phase = std::variant<Advertised, Shared, Masked, Agreed, Revealed, Over>;

struct Exchange {
  Terms terms;
  Phase phase;
  Instant begun_at;
  Instant progress_at;        // the last
  Instant retry_at;           // what was sent is sent again then
  std::uint32_t retries = 0;  // since the last progress; the back-off doubles with each
  bool operator==(const Exchange&) const = default;
};

// ---- events: all of this sid; what names another must not be given to this exchange

struct RosterChecked { Roster roster; Instant now; };      // signatures, certificates, own entry: as they must be
struct Box { std::uint32_t from = 0; bool good = true; };  // a box for this node, and whether it opened
struct Forwarded { Members sharers; std::vector<Box> boxes; Instant now; };
struct BaseSpent { Instant now; };                         // durably, and the node's own ledger charged
struct FrameMade { Frame frame; Instant now; };
struct ChunkAcked { Digest blob{}; std::uint64_t next_offset = 0; Instant now; std::uint32_t credit = 1; };
struct SurvivorsNamed { Members survivors; Instant now; };
struct Vote { std::uint32_t from = 0; bool good = true; };  // a signature under the survivors that this node signed
struct QuorumArrived { std::vector<Vote> votes; Instant now; };
struct AbortAsked { std::string why; Instant now; };
struct RoundEnded { Instant now; };
struct Failed {  // what the driver found wrong, or could not do
  Ending ending = Ending::kFailed;
  Declined declined = Declined::kFailed;
  std::string why;
  Instant now;
};
struct Reconnected { Instant now; };
struct Tick { Instant now; };
using Event = std::variant<RosterChecked, Forwarded, BaseSpent, FrameMade, ChunkAcked, SurvivorsNamed, QuorumArrived,
                           AbortAsked, RoundEnded, Failed, Reconnected, Tick>;

// ---- effects: each that sends may come again, and sends the same bytes then

struct SendAdvert {};
struct SendShares {};  // made once, for the roster of the phase
struct SendComplaint { std::uint32_t from = 0; };
struct SpendBase {};                    // durable record and ledger; answer BaseSpent or Failed
struct MakeFrame { Members sharers; };  // once; answer FrameMade or Failed
struct SendFrame { Frame frame; std::uint64_t offset = 0; };  // chunks from `offset` on
struct SignSurvivors { Members sharers, survivors; };         // recorded durably before it is sent
struct SignAbort {};                                          // recorded durably before it is sent
struct Reveal { Members sharers, survivors; };
struct SendDecline { Declined why = Declined::kFailed; };  // "do not wait for me"
struct WipeKeys {};  // after this no secret of the sid is left
using Effect = std::variant<SendAdvert, SendShares, SendComplaint, SpendBase, MakeFrame, SendFrame, SignSurvivors,
                            SignAbort, Reveal, SendDecline, WipeKeys>;

struct Step {
  Exchange next;
  std::vector<Effect> effects;
  bool accepted = false;  // false: next equals the state before
};

// Fresh keys were made for these terms: the effects advertise them.
Step begin(Terms terms, Instant now);
// After a restart: the keys are gone, so all that can still be done for this sid is to sign that it was given up.
Exchange ended_by_restart(Terms terms, Choice choice, Instant now);

[[nodiscard]] Step step(Exchange state, const Event& event);

inline bool is_over(const Exchange& exchange) { return std::holds_alternative<Over>(exchange.phase); }
std::string_view name_of(const Phase& phase);  // "advertised", ...: for logs and status

// Corrupt members that a roster may hold: floor(members * corrupt).
std::uint32_t corrupt_among(std::uint32_t members, const Fraction& corrupt);
// No two lists of survivors can both find `quorum` signatures: 2 quorum > members + corrupt members.
bool quorum_is_safe(std::uint32_t quorum, std::uint32_t members, const Fraction& corrupt);

}  // namespace freshet::exchange
