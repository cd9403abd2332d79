#pragma once
// The coordinator's side of masked rounds in a simulation: the coordinator's own book of the round,
// over documents that outlive a crash, and what its driver does around it.

#include <map>
#include <optional>
#include <vector>

#include "aggregation/mask.h"
#include "coordinator/round_book.h"
#include "simulations/masked/members.h"
#include "simulations/world.h"

namespace freshet::sim {

class MaskedDesk {
 public:
  explicit MaskedDesk(const World& world) : world_(world) {}

  // Writes down what the next round is about.
  campaign::RoundOpened open(const campaign::Campaign& state, campaign::RoundOpened due);
  // After every step, before its effects. What comes back is to be fed first.
  std::optional<campaign::Event> settle(const campaign::Campaign& state, Instant now);

  struct Answer {
    std::vector<campaign::Event> events;
    std::optional<CoordinatorMessage> reply;
  };
  struct From {
    std::size_t node;
    const campaign::Campaign& state;
    Instant now;
  };
  template <class Message>
  requires requires(const Message& message) { message.sid; }
  Answer take(const From& from, const Message& message) {
    const round::Round* round = campaign::open_round(from.state);
    if (!book_ || round == nullptr || message.sid != book_->sid())
      return {{campaign::Hello{id_of(world_, from.node), from.now}}, std::nullopt};
    return answer(*round, book_->take(*round, id_of(world_, from.node), message, from.now),
                  from.now);
  }
  // Of a whole upload.
  Result<void> check_frame(const From& from, ByteView frame) const;

  RoundBook::Owed owed(const campaign::Campaign& state, NodeId node, Instant now);

  // Over the survivors of a finished round. kUnavailable: settle() has said why not.
  Result<QuantizedSum> sum(const round::Round& round, const std::map<Digest, Bytes>& uploads) const;
  Receipt receipt(const campaign::SendReceipt& effect, CampaignId campaign) const;

  void forget() { book_.reset(); }  // the process died
  std::size_t documents() const { return documents_.size(); }
  void keep_only(const std::vector<Digest>& wanted);  // of the documents

 private:
  RoundBookHooks hooks();
  Answer answer(const round::Round& round, RoundBook::Heard heard, Instant now) const;
  MaskedInvite invitation(const campaign::Campaign& state, const round::Round& round, NodeId node,
                          Instant now);

  const World& world_;
  std::map<Digest, Bytes> documents_;  // durable
  std::optional<RoundBook> book_;
};

}  // namespace freshet::sim
