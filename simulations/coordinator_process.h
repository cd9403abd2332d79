#pragma once
// The coordinator as the simulator runs it: the campaign machine, a journal that may fail, uploads
// and adapters in memory that survives a crash, and the real aggregation. It dies when its plan
// says so, and starts again.

#include <deque>
#include <map>

#include "aggregation/server_rule.h"
#include "simulations/invariants.h"
#include "simulations/masked/desk.h"
#include "simulations/network.h"
#include "storage/memory_journal.h"

namespace freshet::sim {

// What all parts of one simulation share.
struct Stage {
  const World& world;
  const Machines& machines;
  Timeline& timeline;
  Network& network;
  Wire* wire;
  Invariants& invariants;
  const Members* members;  // of masked campaigns; else null
  Promises* promises;      // likewise
};

inline constexpr CampaignId kCampaign{7};

class CoordinatorProcess {
 public:
  CoordinatorProcess(Stage stage, const campaign::Campaign& initial,
                     const std::vector<float>& adapter);

  void receive(std::size_t from, const NodeMessage& message);
  void tick();  // some time has passed
  bool over() const { return up_ && campaign::is_over(state_); }
  const campaign::Campaign& state() const { return state_; }
  std::uint64_t crashes() const { return crashes_; }

 private:
  struct Staged {
    std::uint64_t size = 0;
    Bytes bytes;
  };
  struct Version {  // durable before the event that publishes it
    Bytes adapter;
    Moments moments;
  };

  void on(std::size_t from, const Hello&);
  void on(std::size_t from, const Heartbeat&);
  void on(std::size_t from, const Ready&);
  void on(std::size_t from, const Fetch&);
  void on(std::size_t from, const UploadChunk&);
  template <class Message>
  requires requires(const Message& message) { message.sid; }
  void on(std::size_t from, const Message& message) {
    if (!desk_) return;
    MaskedDesk::Answer answer = desk_->take({from, state_, stage_.timeline.now()}, message);
    if (answer.reply) stage_.network.send_to_node(from, std::move(*answer.reply));
    for (campaign::Event& event : answer.events) feed(std::move(event));
  }
  void stage_chunk(std::size_t from, const UploadChunk&);

  void feed(campaign::Event event);
  void feed_one(const campaign::Event& event);
  void act_all(const std::vector<campaign::Effect>& effects);
  void act(const campaign::Effect& effect);
  void announce(NodeId node);
  void add_and_step(const campaign::AddAndStep& work);
  void publish(const campaign::AddAndStep& work, const QuantizedSum& sum);
  void add_masked(const campaign::AddAndStep& work, const round::Round& round);
  Result<QuantizedUpdate> open(const round::Survivor& survivor, RoundId round) const;

  void plan_crash();
  void die();
  void recover();

  Stage stage_;
  Rng rng_;
  MemoryJournal journal_;  // durable
  std::optional<MaskedDesk> desk_;
  std::map<Digest, Bytes> uploads_;     // durable
  std::map<Digest, Version> versions_;  // durable, by digest of the adapter
  std::map<Digest, Staged> staged_;     // complete chunks survive
  campaign::Campaign state_;
  std::deque<campaign::Event> pending_;  // what follows from what is being fed
  bool feeding_ = false, up_ = true;
  std::uint64_t life_ = 0, crashes_ = 0, entries_ = 0;
  std::uint64_t effects_left_ = 0;  // 0: does not die while acting
};

}  // namespace freshet::sim
