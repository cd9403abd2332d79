#pragma once
// What one seed stands for: a fleet, its faults and its liars, a network, and when the coordinator
// dies. Everything that happens in a simulation follows from this and from the machines.

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "coordinator/campaign.h"
#include "protocol/plan.h"

namespace freshet::sim {

enum class Lie : std::uint8_t {
  kNone,
  kWrongDigest,     // uploads other bytes than it named
  kSecondUpload,    // a second, different update for a round
  kGarbageWords,    // an update that no grid allows
  kNotANumber,      // its training ends in NaN
  kUnknownMessage,  // bytes that are no message
  kWrongBase,       // ready on versions that are not the current one
  kOutsider,        // never ready, uploads to rounds all the same
  kReplayer,        // sends its earlier uploads again
  // of masked rounds
  kWrongShare,          // reveals a share that it was not dealt
  kBadBox,              // deals shares that do not open
  kFalseComplaint,      // complains about a box that opens
  kSecondVector,        // a second masked vector, well signed
  kReplaysRounds,       // what it said in earlier rounds
  kRevokedCertificate,  // comes although the authority took its certificate back
};

// Dies when it is about to say this in a masked round, once.
enum class Stop : std::uint8_t { kNowhere, kAdvert, kShares, kVector, kAgreement, kReveal };

struct Outage {
  Instant from, until;
};

struct NodeTraits {
  Lie lie = Lie::kNone;
  std::int64_t training_ms = 5'000;
  double trainer_fails = 0;      // probability, each time
  std::vector<Outage> restarts;  // down meanwhile; by time
  Instant vanishes{INT64_MAX};   // down from then on
  Stop stop = Stop::kNowhere;
  std::int64_t stop_ms = 0;  // until it comes back
  bool in_step = false;      // starts, and ends its training, in the moment in which others do
};

struct Partition {
  Outage when;
  double share = 0;  // of the nodes cannot be reached
};

struct NetworkTraits {
  double loss = 0, duplicate = 0;
  std::int64_t delay_min_ms = 1, delay_max_ms = 20;
  std::vector<Partition> partitions;
};

struct CrashPlan {  // of the coordinator: at a write to the journal, counted from its latest start,
                    // or while acting
  std::uint64_t write = 0;  // 0: dies between two effects instead
  bool kept = false;        // the write is durable, only its caller did not live to see it
  std::uint64_t effect = 0;
  std::int64_t down_ms = 1'000;
};

class Members;  // masked/members.h

struct World {
  std::uint64_t seed = 0;
  bool wire = false;  // messages go through the real codec, updates are sealed
  campaign::Rules rules;
  CampaignPlan plan;             // as announced
  std::size_t entries = 12;      // of the adapter
  std::size_t chunk_bytes = 32;  // of what travels in chunks: small, so that it takes several
  std::vector<NodeTraits> nodes;
  std::vector<NodeId> ids;                 // of the nodes, rising; empty: 1, 2, ...
  std::shared_ptr<const Members> members;  // of masked campaigns
  NetworkTraits network;
  std::vector<CrashPlan> crashes;
  std::int64_t summing_ms = 200;
  std::uint64_t snapshot_every = 0;  // journal entries; 0: never
  std::int64_t end_ms = 0;           // the campaign must be over by then, whatever happened
};

// No faults and one round of everybody, to be measured: masked over which graph.
enum class Calm { kNo, kSparse, kComplete };
struct Size {
  std::uint32_t nodes = 100, rounds = 3;
  bool masked = false;
  std::size_t entries = 12;
  Calm calm = Calm::kNo;
};
World world_of(std::uint64_t seed, Size size, bool wire);

NodeId id_of(const World& world, std::size_t node);
std::size_t index_of(const World& world, NodeId node);

inline bool happens(Rng& rng, double probability) { return rng.uniform() < probability; }
inline std::int64_t between(Rng& rng, std::int64_t low, std::int64_t high) {  // both included
  return low + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(high - low + 1)));
}

}  // namespace freshet::sim
