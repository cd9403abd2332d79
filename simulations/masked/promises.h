#pragma once
// What secrecy rests on in masked rounds, by number (docs/threat-model.md): an account of all that
// honest nodes let out and of what the coordinator made of it, checked at every step. Numbers that
// are missing here are checked where they arise: I8 and I14 in invariants.cpp, I13 in wire.cpp.

#include <map>
#include <optional>
#include <set>
#include <string>

#include "coordinator/campaign.h"
#include "edge_node/spent_bases.h"
#include "protocol/messages.h"
#include "simulations/world.h"

namespace freshet::sim {

class Promises {
 public:
  explicit Promises(const World& world) : world_(world) {}

  // ---- an honest node
  void charged(std::size_t node, const Digest& sid);
  void recorded(std::size_t node, const SpentBase& spent);
  void frame_made(std::size_t node, const Descriptor& descriptor, const Digest& frame);
  void sent(std::size_t node, const NodeMessage& message, const exchange::Exchange& exchange);
  void left(const exchange::Exchange& exchange, bool has_keys);

  // ---- the coordinator
  void read(const campaign::Event& event);
  void opens(const round::Round& round);  // is about to take masks off
  void published(const round::Round& round);
  void holds(std::size_t documents, const campaign::Campaign& state);

  const std::optional<std::string>& violation() const { return violation_; }
  std::uint64_t opened() const { return opened_; }

 private:
  using NodeRound = std::pair<std::size_t, Digest>;  // node, sid
  struct Facts {                                     // of one sid, as its first signer had them
    exchange::Roster roster;
    exchange::Members sharers, survivors;
    std::set<std::size_t> aborts;  // who signed that it was given up
    std::uint32_t quorum = 0;
  };

  void violated(std::string what);
  void revealed(std::size_t node, const Reveal& reveal, const exchange::Exchange& exchange);
  void agreed(std::size_t node, const exchange::Exchange& exchange);
  bool lies(NodeId node) const;

  const World& world_;
  std::map<NodeRound, std::map<std::uint32_t, bool>>
      kinds_;                           // I2: of each member, self mask or not
  std::map<NodeRound, Digest> agreed_;  // I3: survivors that it signed
  std::set<NodeRound> aborted_;         // I3
  std::map<NodeRound, Digest> frames_;  // I3
  std::set<NodeRound> charged_;         // I7
  std::map<NodeRound, bool> spent_;     // I15: recorded, and whether as left
  std::map<std::pair<std::size_t, VersionId>, Digest> masked_from_;  // I15: the latest sid
  std::set<std::pair<NodeId, VersionId>> opened_from_;               // I15
  std::map<Digest, Facts> facts_;
  std::uint64_t opened_ = 0;
  std::optional<std::string> violation_;
};

}  // namespace freshet::sim
