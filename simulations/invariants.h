#pragma once
// What must hold, checked after every event of a simulation against a second opinion: a shadow
// machine fed from the journal alone, and a plain account of who contributed what. The first
// violation is kept.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "aggregation/server_rule.h"
#include "simulations/machines.h"
#include "simulations/masked/promises.h"
#include "simulations/world.h"
#include "storage/journal.h"

namespace freshet::sim {

class Invariants {
 public:
  Invariants(const World& world, const Machines& machines, const campaign::Campaign& initial,
             const std::vector<float>& adapter);

  // ---- what the nodes did
  void said_ready(NodeId node, VersionId base);
  // A node's session asked for these words to be sealed for a round, and they were, as `upload`.
  using Words = std::shared_ptr<const QuantizedUpdate>;
  void sealed(NodeId node, VersionId base, RoundId round, const Words& update,
              const Digest& upload);
  // A liar's second vector for a round: if it counts, then as this.
  void counts_as(NodeId node, RoundId round, const Words& update, const Digest& upload) {
    sealed_.emplace(upload, Sealed{node, round, update});
  }

  // ---- what the coordinator did
  // After every event and every write to the journal: reads what is new in it. `live` is the state
  // that acts.
  void after_event(Journal& journal, const campaign::Campaign& live, Instant now);
  void acts(const campaign::Effect& effect);
  void blob_made(const Digest& adapter, const Bytes& bytes) { blobs_[adapter] = bytes; }
  void recovered(Journal& journal, const campaign::Campaign& replayed, Instant now);
  void time_passed(const campaign::Campaign& live, Instant now);

  // ---- the end
  void ended(const campaign::Campaign& live, bool in_time);
  void violated(std::string what);  // keeps the first
  const std::optional<std::string>& violation() const {
    return violation_ ? violation_ : promises_.violation();
  }
  Promises& promises() { return promises_; }

 private:
  struct Sealed {
    NodeId node;
    RoundId round;
    Words update;
  };
  struct Account {  // of one round, from the journal's events alone
    VersionId base;
    std::set<NodeId> cohort;
    std::map<NodeId, Digest> first_uploads;  // less the spoiled
    bool published = false;
  };

  void read(Journal& journal, Instant now);
  void account(const campaign::Event& event);
  void open_account(const round::Round& round);
  void check_publication(const campaign::Summed& event);
  void check_sum(const campaign::AddAndStep& effect);
  void check_parts(const campaign::Campaign& live);
  std::optional<std::vector<float>> next_adapter(const Account& account);

  const World& world_;
  const Machines& machines_;
  Promises promises_;
  campaign::Campaign shadow_;
  bool collecting_ = false;  // before the entry that is being read
  std::uint64_t next_entry_ = 0;
  std::set<std::pair<NodeId, VersionId>> ready_;
  std::map<std::pair<NodeId, VersionId>, Words> contributed_;
  std::map<Digest, Sealed> sealed_;
  std::map<Digest, Bytes> blobs_;
  std::map<RoundId, Account> accounts_;
  std::vector<float> adapter_;
  Moments moments_;
  RoundId open_;
  Instant open_since_;
  std::optional<std::string> violation_;
};

}  // namespace freshet::sim
