#pragma once
// One aggregation round as a pure function: who is in the cohort, who answered with which bytes, when it is over. It
// knows digests of uploads, never the uploads. A round that masks adds its phases (Advertising, Sharing, Agreeing,
// Unmasking) to Phase and their overloads to step(); this file's callers do not change.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"

namespace freshet::round {

struct RoundPlan {
  RoundId id;
  VersionId base;
  std::uint32_t survivors_min = 1;
  bool operator==(const RoundPlan&) const = default;
};

struct Member {
  NodeId node;
  std::optional<Digest> upload;  // complete and durable; the first one counts
  bool vanished = false;         // not waited for; may still answer
  bool operator==(const Member&) const = default;
};

struct Collecting {
  bool operator==(const Collecting&) const = default;
};
struct Finished {  // at least survivors_min members answered
  bool operator==(const Finished&) const = default;
};
struct Aborted {
  std::string why;
  bool operator==(const Aborted&) const = default;
};
using Phase = std::variant<Collecting, Finished, Aborted>;

struct Round {
  RoundPlan plan;
  Instant deadline;
  std::vector<Member> cohort;  // by rising node
  Phase phase;
  bool operator==(const Round&) const = default;
};

// ---- events

struct Uploaded {  // all bytes of `upload` are verified and durable
  NodeId node;
  Digest upload{};
};
struct Vanished {
  NodeId node;
};
struct DeadlinePassed {};
struct Spoiled {  // uploads that turned out to hold no valid update while they were added
  std::vector<NodeId> nodes;
};
using Event = std::variant<Uploaded, Vanished, DeadlinePassed, Spoiled>;

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
using Effect = std::variant<Accept, Refuse>;

struct Step {
  Round next;
  std::vector<Effect> effects;
  bool accepted = false;  // false: next equals the state before
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

}  // namespace freshet::round
