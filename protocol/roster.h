#pragma once
// Who is in a masked round: checked by the coordinator before it sends a roster and by every node
// before it deals a share, by the same function.

#include <optional>
#include <unordered_map>

#include "protocol/secagg_messages.h"

namespace freshet {

struct RosterRules {
  const Trust& trust;
  std::int64_t now_s = 0;  // since 1970
  std::uint32_t members_min = 2;
  Fraction newcomers{1, 1};                 // the stricter of this and the descriptor's counts
  std::int64_t newcomer_s = 7 * 24 * 3600;  // enrolled this long ago or less
  // Of a node: that its neighbours' keys can be agreed with, and that they know their secrets, is
  // all it needs to know. Without: of all members.
  std::optional<NodeId> own = {};
};

struct CheckedMember {
  Certificate certificate;
  secagg::Advert advert{};
};

// One member by itself: a node's certificate, in force, that lets it contribute; keys that it
// signed for this sid, that can be agreed with, and whose secret it shows to know. kRefused names
// the node.
Result<CheckedMember> check_member(const Digest& sid, const RosterMember& member,
                                   const RosterRules& rules);

// Enrolled so lately that a roster takes a part of such members alone.
bool is_newcomer(const Certificate& certificate, const RosterRules& rules);

// Who can be in one roster: no device and no key is there twice, not even in two uses.
class Distinct {
 public:
  Result<void> take(const CheckedMember& member);  // kRefused names who has the same; takes nothing

 private:
  using Key = std::array<std::uint8_t, 32>;
  enum Use : std::uint8_t { kLasting, kOfRound };  // of certificates, of adverts
  struct Used {
    Use use;
    Key key;
    bool operator==(const Used&) const = default;
  };
  // Members choose what is hashed, so they must not know by what.
  class Hash {
   public:
    Hash();
    std::size_t operator()(const Used& used) const;

   private:
    std::array<std::uint64_t, 9> factors_;
  };
  std::unordered_map<std::uint64_t, NodeId> devices_;  // whose certificate names it
  std::unordered_map<Used, NodeId, Hash> keys_;
};

struct CheckedRoster {
  std::vector<CheckedMember> members;  // by rising NodeId
  Digest digest{};                     // H(U1)
  Digest graph_seed{};                 // of the opened beacon and every member's nonce
};

// Every certificate is a node's, in force and allowed to contribute; every advert is signed;
// NodeIds rise; no device and no key is there twice; the beacon opens; trust is neither older nor
// newer than the descriptor says; and keys as RosterRules::own has it. kUnavailable: fetch the
// newer trust bundle and check again. kRefused else; texts say who and why.
Result<CheckedRoster> check_roster(const Descriptor& descriptor, const Digest& opening,
                                   std::span<const RosterMember> members, const RosterRules& rules);

// The same members without any check: of documents that passed check_roster() before. kCorrupt when
// they do not even read.
Result<CheckedRoster> read_roster(const Descriptor& descriptor, const Digest& opening,
                                  std::span<const RosterMember> members);

// The node's own place. kRefused unless its own advert stands there.
Result<std::uint32_t> place_of(const CheckedRoster& roster, NodeId own,
                               const secagg::Advert& advert);

Digest roster_digest(const Digest& sid, std::span<const RosterMember> members);

// Signatures of `indices` under one document, each index once and rising. kRefused: one that does
// not fit. Returns how many there are.
Result<std::uint32_t> check_signatures(const CheckedRoster& roster,
                                       std::span<const IndexedSignature> signatures,
                                       std::string_view domain, ByteView bytes);

}  // namespace freshet
