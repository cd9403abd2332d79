#pragma once
// A node as the simulator runs it: the session machine, toy training that takes its time, a
// contribution store that survives restarts, and whatever its traits make it do wrong. Nodes run
// side by side: while one does something it touches nothing but itself, and what it does to others
// is in take_deeds().

#include <deque>
#include <optional>

#include "edge_node/masked_round.h"
#include "simulations/afterwards.h"

namespace freshet::sim {

class NodeProcess {
 public:
  NodeProcess(const Stage& stage, std::size_t index);

  void start();
  void receive(const CoordinatorMessage& message);
  void tick();
  void calm_down() { calm_ = true; }            // goes on as an honest node that is not restarted
  Deeds take_deeds() { return later_.take(); }  // since the last call
  bool up() const { return up_; }
  const session::Session& session() const { return session_; }

 private:
  struct Stored {  // durable
    session::Contribution contribution;
    std::shared_ptr<const QuantizedUpdate> update;
  };
  struct StoredUpload {  // durable
    session::Upload upload;
    Bytes bytes;
  };

  void on(const Announce&);
  void on(const Invite&);
  void on(const ChunkAck&);
  void on(const Chunk&);
  void on(const Receipt&);
  void on(const Finished&);
  void on(const Refused&);
  void on(const MaskedInvite&);
  void on(const RosterPage& message) { to_round(message); }
  void on(const Forward& message) { to_round(message); }
  void on(const freshet::Survivors& message) { to_round(message); }
  void on(const Quorum& message) { to_round(message); }
  void on(const AskAbort&);

  void feed(session::Event event);
  void act(const session::SendHello&);
  void act(const session::SendHeartbeat&);
  void act(const session::SendReady&);
  void act(const session::FetchBlob&);
  void act(const session::StartTraining&);
  void act(const session::StopTraining&);
  void act(const session::SealUpload&);
  void act(const session::SendUpload&);
  void act(const session::JoinExchange&);
  void act(const session::LeaveExchange&);
  void act(const session::DropContribution&);

  Instant now() const { return timeline_.now(); }
  void note(std::uint64_t what, std::uint64_t detail = 0);
  void wake(Instant when, std::function<void()> happens);
  std::int64_t spread(std::int64_t most_ms);  // until something of its own happens
  void violated(std::string what);
  void finish_training(const session::Base& base);
  Bytes seal(const QuantizedUpdate& update, RoundId round) const;
  void send(NodeMessage message);
  void send_chunk(RoundId round, const Digest& blob, const Bytes& bytes, std::uint64_t offset);
  void lie_now_and_then();

  // of masked rounds: node_masked.cpp
  template <class Message>
  void to_round(const Message& message);
  void after_round_event();
  void watch(const NodeMessage& message, const exchange::Exchange& exchange);
  Result<void> record(const SpentBase& spent);
  std::optional<Declined> declines(const Descriptor& descriptor, const MaskedInvite& invite) const;
  MaskedRoundHooks hooks(const Descriptor& descriptor);
  void say(NodeMessage message);
  void say_falsely(NodeMessage message);
  bool dies_before(const NodeMessage& message);
  void check_receipt(const Receipt& receipt);

  void go_down(std::optional<Instant> until);
  void come_up();
  bool lies(Lie lie) const { return !calm_ && traits_.lie == lie; }

  const World& world_;
  const Machines& machines_;
  const Members* members_;
  const Timeline& timeline_;  // to tell the time
  bool wire_;
  Afterwards later_;
  std::size_t index_;
  const NodeTraits& traits_;
  Rng rng_;
  session::Session session_;
  std::deque<session::Event> pending_;
  bool feeding_ = false, up_ = false, calm_ = false;
  std::optional<Stored> stored_;
  std::optional<StoredUpload> stored_upload_;
  std::optional<session::Upload> last_upload_;  // what a replayer sends again
  Bytes last_bytes_;
  Bytes adapter_;  // being fetched, or whole
  SealingPublic seal_to_;
  RoundId seen_round_;
  std::uint64_t attempts_ = 0;  // at training, over all restarts
  std::uint64_t training_ = 0;  // what runs now; anything older is cancelled

  struct Admitted {
    Descriptor descriptor;
    Digest sid{};
  };
  std::optional<SpentBase> spent_;      // durable
  std::map<Digest, SpentBase> masked_;  // durable: by adapter
  std::optional<Admitted> admitted_;
  std::unique_ptr<MaskedRound> round_;
  bool round_settled_ = false, round_published_ = false;
  bool dies_ = false, died_ = false;  // at its traits' stop
  std::optional<Forward> forwarded_;  // for lies
  std::vector<NodeMessage> said_;
};

}  // namespace freshet::sim
