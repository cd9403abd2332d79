#pragma once
// One masked round on a node, done: checks what the coordinator sends, asks the exchange machine,
// and does what it decides with the round's secret keys. No network, disk or clock of its own:
// those are hooks, so that a simulation runs this very code. Its keys live in memory alone and end
// with it.

#include <functional>
#include <map>
#include <memory>

#include "aggregation/mask.h"
#include "edge_node/exchange.h"
#include "edge_node/spent_bases.h"
#include "protocol/messages.h"
#include "protocol/roster.h"

namespace freshet {

struct MaskedRoundPlan {
  Descriptor descriptor;
  Digest supplied{};  // supplied_digest() of what this node itself loaded
  Digest adapter{};   // of the base
  exchange::Rules rules;
  Fraction newcomers{1,
                     1};  // of this node's policy; the stricter of it and the descriptor's counts
  std::int64_t newcomer_s = 0;
  Bytes certificate;                            // this node's
  std::int64_t round_ms = limits::kRoundMsMax;  // of the plan: the longest that one phase may last
};

struct MaskedRoundHooks {
  std::function<Result<void>(const NodeMessage&)> send;
  std::function<Result<void>(const SpentBase&)> record;   // durable when it returns
  std::function<Result<void>()> charge;                   // this node's own ledger, durably
  std::function<Result<QuantizedUpdate>()> contribution;  // on the grid, with its noise
  std::function<std::shared_ptr<const Trust>()> trust;    // the newest that this node has seen
  std::function<void(const Digest& blob, std::uint64_t size)> fetch_trust;
  std::function<std::int64_t()> wall_s;  // seconds since 1970
  std::function<void(ByteView frame, const QuantizedUpdate& unmasked)>
      made;  // for the node's people
};

class MaskedRound {
 public:
  // Advertises. `identity` outlives it.
  static Result<std::unique_ptr<MaskedRound>> join(const Identity& identity, MaskedRoundPlan plan,
                                                   MaskedRoundHooks hooks, secagg::RoundKeys keys,
                                                   Instant now);

  // Errors are those of hooks.send. What is wrong with a message, or cannot be made durable, ends
  // the round instead.
  Result<void> take(const RosterPage& page, Instant now);
  Result<void> take(const Forward& forward, Instant now);
  Result<void> take(const Survivors& survivors, Instant now);
  Result<void> take(const Quorum& quorum, Instant now);
  Result<void> take(const AskAbort& ask, Instant now);
  Result<void> take(const ChunkAck& ack, Instant now);
  Result<void> trust_arrived(Instant now);  // hooks.trust gives a newer one than before
  Result<void> feed(const exchange::Event& event,
                    Instant now);  // Tick, Reconnected, RoundEnded, Failed

  const Digest& sid() const { return exchange_.terms.sid; }
  const exchange::Exchange& exchange() const { return exchange_; }
  const exchange::Over* over() const { return std::get_if<exchange::Over>(&exchange_.phase); }
  // The survivors that this node signed, or null.
  const exchange::Members* survivors() const;
  bool has_keys() const { return keys_.has_value(); }

 private:
  MaskedRound(const Identity& identity, MaskedRoundPlan plan, MaskedRoundHooks hooks,
              secagg::RoundKeys keys);

  Result<void> check_whole_roster(Instant now);
  Result<exchange::Roster> exchange_roster(const CheckedRoster& checked) const;
  Result<void> refused(Declined declined, std::string why, Instant now);
  Result<void> gave_up(const Error& error, Declined declined, Instant now);
  Result<exchange::Box> open(const SignedBox& box);
  Outcome outcome(const exchange::Members& sharers, const exchange::Members& survivors) const;
  Result<void> record(bool left, exchange::Choice choice);
  Result<void> make_frame(const QuantizedUpdate& words, const exchange::MakeFrame& effect);
  void keep_revealed(std::vector<secagg::RevealedShare> shares);

  Result<void> act(const exchange::SendAdvert&, Instant now);
  Result<void> act(const exchange::SendShares&, Instant now);
  Result<void> act(const exchange::SendComplaint& effect, Instant now);
  Result<void> act(const exchange::SpendBase&, Instant now);
  Result<void> act(const exchange::MakeFrame& effect, Instant now);
  Result<void> act(const exchange::SendFrame& effect, Instant now);
  Result<void> act(const exchange::SignSurvivors& effect, Instant now);
  Result<void> act(const exchange::SignAbort&, Instant now);
  Result<void> act(const exchange::Reveal& effect, Instant now);
  Result<void> act(const exchange::SendDecline& effect, Instant now);
  Result<void> act(const exchange::WipeKeys&, Instant now);

  const Identity& identity_;
  MaskedRoundPlan plan_;
  MaskedRoundHooks hooks_;
  std::optional<secagg::RoundKeys> keys_;
  exchange::Exchange exchange_;

  struct Pages {  // of the roster, as they come
    std::uint32_t total = 0;
    Digest opening{}, trust{};
    std::uint64_t trust_bytes = 0;
    std::vector<RosterMember> members;
    std::vector<bool> has;
    std::uint32_t here = 0;
  };
  std::optional<Pages> pages_;
  std::optional<CheckedRoster> roster_;
  std::uint32_t own_ = 0;
  SpentBase spent_;
  std::map<std::uint32_t, SignedBox> bad_;  // boxes that did not open
  Bytes frame_;
  std::optional<exchange::Members> agreed_;
  // What was sent, to be sent again as it was.
  std::optional<Advertise> advertise_;
  std::optional<ShareBundle> shares_;
  std::vector<secagg::RevealedShare> revealed_;  // their values lie in revealed_values_
  Secret revealed_values_;
};

// The answer to a coordinator that gives up a round of which this node has no more than the record:
// its signature, once the choice is durable. kRefused where it signed survivors.
Result<AgreeAbort> sign_recorded_abort(const Identity& identity, SpentBase last,
                                       const std::function<Result<void>(const SpentBase&)>& record);

}  // namespace freshet
