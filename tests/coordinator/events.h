#pragma once
// Digests that tests can read, and random events for a campaign of a few nodes.

#include <string>
#include <string_view>

#include "base/rng.h"
#include "coordinator/campaign.h"

namespace freshet::campaign {

inline Digest bytes_named(std::string_view name) {
  Digest digest{};
  for (std::size_t i = 0; i < name.size() && i < digest.size(); ++i)
    digest[i] = static_cast<std::uint8_t>(name[i]);
  return digest;
}
inline std::string name_of_bytes(const Digest& digest) {
  std::string name;
  for (std::uint8_t byte : digest)
    if (byte != 0) name.push_back(static_cast<char>(byte));
  return name;
}

// What may happen in a masked round beside.
inline Event random_masked_event(const Campaign& c, Rng& rng, Instant now) {
  const NodeId node{1 + rng.below(6)};
  const RoundId round{c.last_round.value + (rng.below(12) == 0 ? 1 : 0)};
  switch (rng.below(200)) {
    case 0: return Complained{node, {1 + rng.below(6)}, round, now};
    case 1: return Left{node, round, now};
    case 2: return Ruined{round, "no sum", {node}, now};
    case 3: return HeldBack{round, "it reads worse", now};
    default: break;
  }
  if (std::holds_alternative<Combining>(c.phase)) {
    if (rng.below(4) == 0) return Combined{{c.version.value + 1}, bytes_named("combined"), now};
    if (rng.below(4) == 0) return HeldBack{round, "it reads worse", now};
  }
  if (!c.groups.empty() && rng.below(8) == 0) return GroupsClosed{now};
  if (c.rules.groups > 1 && std::holds_alternative<Summing>(c.phase) && rng.below(4) == 0)
    return GroupSummed{round, bytes_named("mean"), bytes_named("sum"),
                       EvaluationTotals{rng.below(100), 10}, now};
  if (rng.below(12) == 0) return Staged{node, round, now};
  if (rng.below(30) == 0) return Ready{node, c.version, now};
  if (open_round(c) == nullptr)
    return rng.below(3) == 0 ? Event(RoundOpened{now, rng.next_u64(), bytes_named("sid"),
                                                 bytes_named("document")})
                             : Event(Ready{node, c.version, now});
  if (std::holds_alternative<Summing>(c.phase) && rng.below(4) == 0)
    return Summed{round, {c.version.value + 1}, bytes_named("sum"), now};
  if (rng.below(60) == 0) return DeadlinePassed{round, now};
  if (rng.below(4) == 0)
    return Uploaded{node, round, bytes_named(std::string(1, static_cast<char>('a' + node.value))),
                    now};
  const auto* open = open_round(c);
  auto kind = static_cast<round::Document>(rng.below(round::kDocuments));
  for (int i = 0; i < 6 && open != nullptr && !round::wants(*open, node, kind); ++i)
    kind = static_cast<round::Document>(rng.below(round::kDocuments));
  const std::string name =
      std::string(1, static_cast<char>('a' + node.value)) + (rng.below(40) == 0 ? "!" : "");
  return Said{node, round, kind, bytes_named(name), rng.below(4) == 0, now};
}

// An event that may or may not mean something now: nodes 1 to 6, rounds and versions near the
// current ones.
inline Event random_event(const Campaign& c, Rng& rng, Instant now) {
  const NodeId node{1 + rng.below(6)};
  const VersionId base{c.version.value - (c.version.value > 0 && rng.below(8) == 0 ? 1 : 0) +
                       (rng.below(8) == 0 ? 1 : 0)};
  const RoundId round{c.last_round.value + (rng.below(8) == 0 ? 1 : 0)};
  const Digest upload = bytes_named(std::string(1, static_cast<char>('a' + node.value)) +
                                    (rng.below(9) == 0 ? "!" : ""));
  if (rng.below(100) == 0) return RolledBack{base, bytes_named("back"), now};
  if (c.rules.masked && rng.below(8) != 0) return random_masked_event(c, rng, now);
  switch (rng.below(16)) {
    case 0: return Hello{node, now};
    case 1: return Heartbeat{node, base, static_cast<Activity>(rng.below(5)), now};
    case 2:
    case 3:
    case 4: return Ready{node, base, now};
    case 5:
    case 6:
    case 7:
    case 8: return Uploaded{node, round, upload, now};
    case 9:
    case 10: return Summed{round, VersionId{base.value + 1}, bytes_named("sum"), now};
    case 11:
      return rng.below(4) == 0 ? Event(HeldBack{round, "it reads worse", now})
                               : Event(Spoiled{round, {node}, now});
    case 12: return Vanished{node, now};
    case 13: return RoundOpened{now, rng.next_u64(), bytes_named("sid"), bytes_named("document")};
    case 14: return DeadlinePassed{round, now};
    default: return rng.below(20) == 0 ? Event(GaveUp{now}) : Event(Recovered{now});
  }
}

}  // namespace freshet::campaign
