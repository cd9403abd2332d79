#pragma once
// One aggregation round as a pure function: who is in the cohort, who said what, when it is over.
// It knows digests of documents, never the documents: whoever steps it has checked and stored them.
//
// A round in which the coordinator opens every update is Collecting, then Finished or Aborted. A
// masked one (Bonawitz et al. 2017, with a signed agreement on the survivors) is Advertising,
// Sharing, Collecting, Agreeing, Unmasking, then Finished. Once vectors may have left, it can only
// be given up by what a quorum signs: Aborting. Lists of members, by rising node:
//   roster (U1): who advertised; sharers (U2): who dealt shares; survivors (U3): whose vector is
//   in.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "protocol/plan.h"

namespace freshet::round {

struct MaskedPlan {
  Digest sid{};
  Digest document{};  // blob of the descriptor and what opens its beacon
  MaskingPlan rules;
  bool operator==(const MaskedPlan&) const = default;
};
struct RoundPlan {
  RoundId id;
  VersionId base;
  std::uint32_t survivors_min = 1;
  std::optional<MaskedPlan> masked = {};
  bool operator==(const RoundPlan&) const = default;
};

// What a member says once in a masked round; the blob of it.
enum class Document : std::uint8_t { kAdvert, kShares, kAgreement, kReveal, kAbort };
inline constexpr std::size_t kDocuments = 5;

struct Member {
  NodeId node;
  std::optional<Digest> upload;  // complete and durable; the first one counts
  bool vanished = false;         // not waited for; may still answer
  std::array<std::optional<Digest>, kDocuments> said{};

  const std::optional<Digest>& document(Document kind) const {
    return said[static_cast<std::size_t>(kind)];
  }
  bool operator==(const Member&) const = default;
};

// ---- phases

struct Collecting {
  bool operator==(const Collecting&) const = default;
};
struct Finished {  // at least survivors_min members answered; masked: their shares are here
  bool operator==(const Finished&) const = default;
};
enum class Base : std::uint8_t {  // of the contributions, after an aborted round
  kFree,                          // no vector can have left, or the round was not masked
  kGivenUp,                       // a quorum signed that this round was given up
  kSpent,                         // neither: nobody in it may contribute from this base again
};
struct Aborted {
  std::string why;
  Base base = Base::kFree;
  bool operator==(const Aborted&) const = default;
};
struct Advertising {
  bool operator==(const Advertising&) const = default;
};
struct Sharing {
  bool operator==(const Sharing&) const = default;
};
struct Agreeing {
  bool operator==(const Agreeing&) const = default;
};
struct Unmasking {
  bool operator==(const Unmasking&) const = default;
};
struct Aborting {  // asks for signatures
  std::string why;
  bool operator==(const Aborting&) const = default;
};
using Phase = std::variant<Collecting, Finished, Aborted, Advertising, Sharing, Agreeing, Unmasking,
                           Aborting>;

struct Round {
  RoundPlan plan;
  Instant deadline;            // of the phase
  Instant latest;              // masked: how far progress can move it
  std::vector<Member> cohort;  // by rising node
  Phase phase;
  bool operator==(const Round&) const = default;
};

// ---- events

struct Uploaded {  // all bytes of `upload` are verified and durable
  NodeId node;
  Digest upload{};
};
struct Said {  // the document is durable, and fits the round and its sender
  NodeId node;
  Document kind = Document::kAdvert;
  Digest document{};
  bool enough = false;  // of a kReveal: with it, every mask can be taken off
};
struct Complained {  // about a box; `liar` is who lied, its sender or the complaining node
  NodeId node;
  NodeId liar;
};
struct Vanished {  // or said that it takes no part
  NodeId node;
};
struct DeadlinePassed {};
struct Spoiled {  // uploads that turned out to hold no valid update while they were added
  std::vector<NodeId> nodes;
};
struct Ruined {  // masked: the sum is none of valid updates, or there cannot be one
  std::string why;
  std::vector<NodeId> liars;  // rising; shown to have made it so
};
struct Restarted {};  // of the coordinator: nobody was told what it had not yet written down
using Event =
    std::variant<Uploaded, Said, Complained, Vanished, DeadlinePassed, Spoiled, Ruined, Restarted>;

// ---- effects

struct Accept {  // also for the same upload again
  NodeId node;
  Digest upload{};
};
struct Refuse {
  NodeId node;
  Code code = Code::kRefused;
  std::string why;
  bool offence = false;  // counts against the node
};
struct Tell {  // the member what the phase owes it; also when it repeats what it said before
  NodeId node;
};
struct Evict {  // it lied, and that can be shown
  NodeId node;
};
using Effect = std::variant<Accept, Refuse, Tell, Evict>;

struct Step {
  Round next;
  std::vector<Effect> effects;
  bool accepted = false;  // false: next equals the state before
  bool progress = false;  // of a masked round: its deadline moves
};

// `nodes`: rising, distinct, not empty.
Round begin(RoundPlan plan, Instant deadline, const std::vector<NodeId>& nodes);

[[nodiscard]] Step step(Round state, const Event& event);

const Member* find(const Round& round, NodeId node);  // null: outside the cohort

// Members with an upload, by rising node: exactly what a finished round's sum is taken over.
struct Survivor {
  NodeId node;
  Digest upload{};
  bool operator==(const Survivor&) const = default;
};
std::vector<Survivor> survivors(const Round& round);

// ---- of a masked round

std::vector<const Member*> roster(const Round& round);  // complete once it is past Advertising
using Places = std::vector<std::uint32_t>;              // in the roster, rising
Places sharers(const Round& round);
Places survivor_places(const Round& round);
std::optional<std::uint32_t> place_of(const Round& round, NodeId node);
std::uint32_t quorum(const Round& round);            // t of the roster
std::uint32_t survivors_needed(const Round& round);  // of the roster, or of a cohort not yet one
// Whether the round would take such a document from this node now, as its first.
bool wants(const Round& round, NodeId node, Document kind);
bool is_over(const Round& round);                    // Finished or Aborted
// Whether its members' vectors may have left them.
bool may_have_masked(const Round& round);
// Whether the phase goes on without waiting once this member, and all like it, have answered.
bool is_waited_for(const Round& round, const Member& member);
std::string_view name_of(const Phase& phase);  // "advertising", ...

}  // namespace freshet::round
