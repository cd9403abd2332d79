#pragma once
// What the coordinator knows of the masked round under way: checks what its members say against
// the round and its roster, keeps it as documents, and makes what every phase owes them. The round
// machine decides; this sees the bytes. No network of its own, so that a simulation runs this very
// code. After a restart it is opened again from the documents.

#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "aggregation/graph.h"
#include "coordinator/campaign.h"
#include "coordinator/round_document.h"
#include "crypto/secagg/recovery.h"
#include "protocol/messages.h"
#include "protocol/roster.h"

namespace freshet {

struct RoundBookHooks {
  std::function<Result<Digest>(ByteView)> put;  // durable when it returns
  std::function<Result<Bytes>(const Digest&)> get;
  std::function<std::shared_ptr<const Trust>()> trust;
  std::function<std::int64_t()> wall_s;  // seconds since 1970
};

class RoundBook {
 public:
  // kCorrupt when a document is missing. REQUIRES: round.plan.masked.
  static Result<RoundBook> open(const round::Round& round, RoundBookHooks hooks);

  // After every step of the round, before its effects: what a phase that has closed makes known.
  // An error other than kCorrupt and kNoSpace: the round cannot go on, feed Ruined with it.
  Result<void> settle(const round::Round& round);

  // What to feed. kBadInput, kRefused, kExpired: tell the sender. Others are of `put` and `get`.
  using Heard = Result<campaign::Event>;
  Heard take(const round::Round& round, NodeId node, const Advertise& message, Instant now);
  Heard take(const round::Round& round, NodeId node, const ShareBundle& message, Instant now);
  Heard take(const round::Round& round, NodeId node, const Complaint& message, Instant now);
  Heard take(const round::Round& round, NodeId node, const AgreeSurvivors& message, Instant now);
  Heard take(const round::Round& round, NodeId node, const AgreeAbort& message, Instant now);
  Heard take(const round::Round& round, NodeId node, const Reveal& message, Instant now);
  Heard take(const round::Round& round, NodeId node, const Decline& message, Instant now);
  // Whether a whole upload is what this member may send: its signature, length and padding.
  Result<void> check_frame(const round::Round& round, NodeId node, ByteView frame,
                           std::size_t entries) const;

  // What the phase owes this member but for an invitation; empty where nothing. What is the same
  // for all members is made once.
  using Owed = std::vector<std::shared_ptr<const CoordinatorMessage>>;
  Result<Owed> owed(const round::Round& round, NodeId node, ByteView trust_bundle);

  const Digest& sid() const { return sid_; }
  const Descriptor& descriptor() const { return document_.descriptor; }
  // Of a round that is past Agreeing; null before.
  const secagg::Recovery* recovery() const { return recovery_ ? &*recovery_ : nullptr; }
  std::vector<NodeId> liars() const;  // that unmasking showed, rising

 private:
  RoundBook(RoundDocument document, RoundBookHooks hooks);
  Result<void> admit(const CheckedMember& member);
  enum class Room { kNow, kLater, kNever };  // kLater: others of the cohort may still come
  Room room_for(const round::Round& round, const CheckedMember& member,
                const RosterRules& rules) const;
  Result<std::uint32_t> place(const round::Round& round, NodeId node) const;
  const SigningPublic& key(std::uint32_t place) const;
  std::vector<std::uint32_t> neighbours(std::uint32_t place) const;
  Result<void> close_roster(const round::Round& round);
  Result<void> start_recovery(const round::Round& round);
  Result<void> gather_boxes(const round::Round& round);
  Heard said(const round::Round& round, NodeId node, round::Document kind, ByteView document,
             Instant now);
  Result<void> gather_quorum(const round::Round& round);
  const Owed& roster_pages(ByteView trust_bundle);
  Bytes outcome(const round::Round& round) const;

  RoundDocument document_;
  RoundBookHooks hooks_;
  Digest sid_{};
  std::vector<RosterMember> members_;  // of the roster, once it is closed
  std::optional<CheckedRoster> roster_;
  std::map<NodeId, CheckedMember> adverts_;  // until the roster is closed
  Distinct distinct_;                        // what is in them
  std::set<NodeId> held_back_;               // newcomers for whom there may be room later
  GraphPlan graph_plan_;
  std::optional<Graph> graph_;
  std::vector<std::vector<SignedBox>> boxes_;  // by receiver, while they are being forwarded
  std::shared_ptr<const CoordinatorMessage> quorum_;  // the signatures, once they are agreed
  Owed pages_;                                        // of the roster
  Digest trust_of_pages_{};
  std::optional<secagg::Recovery> recovery_;
};

// The certificate that a closed round was given up, for its members. kCorrupt: a document is gone.
Result<AbortCertificate> abort_certificate(const round::Round& given_up,
                                           const std::function<Result<Bytes>(const Digest&)>& get);

}  // namespace freshet
