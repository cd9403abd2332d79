#pragma once
// The simulated network between the nodes and their coordinator: delay, loss, duplication,
// reordering, partition. With `wire`, every message passes the real codec and its signatures;
// without, it travels as a struct.

#include <functional>
#include <memory>
#include <vector>

#include "protocol/messages.h"
#include "simulations/timeline.h"
#include "simulations/world.h"

namespace freshet::sim {

class Wire;  // wire.h

class Network {
 public:
  using ToNode = std::function<Deeds(std::size_t node, const CoordinatorMessage&)>;
  using ToCoordinator = std::function<void(std::size_t node, const NodeMessage&)>;

  Network(const World& world, Timeline& timeline, Wire* wire);
  void connect(ToNode to_node, ToCoordinator to_coordinator);

  void send_to_node(std::size_t node, CoordinatorMessage message);
  void send_to_node(std::size_t node, std::shared_ptr<const CoordinatorMessage> message);
  void send_to_coordinator(std::size_t node, std::shared_ptr<const NodeMessage> message);
  void send_garbage(std::size_t node);  // bytes that are no message: nothing may come of them

  void calm_down() { calm_ = true; }  // no more faults
  std::uint64_t messages() const { return messages_; }

 private:
  bool cut_off(std::size_t node) const;
  template <class Arrival>
  void deliver(std::size_t node, Arrival arrive);

  const World& world_;
  Timeline& timeline_;
  Wire* wire_;
  Rng rng_;
  ToNode to_node_;
  ToCoordinator to_coordinator_;
  bool calm_ = false;
  std::uint64_t messages_ = 0;
};

}  // namespace freshet::sim
