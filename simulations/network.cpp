#include "simulations/network.h"

#include "simulations/wire.h"

namespace freshet::sim {
namespace {

constexpr std::uint64_t kNetworkStream = 2;

}  // namespace

Network::Network(const World& world, Timeline& timeline, Wire* wire)
    : world_(world), timeline_(timeline), wire_(wire), rng_(world.seed, kNetworkStream) {}

void Network::connect(ToNode to_node, ToCoordinator to_coordinator) {
  to_node_ = std::move(to_node);
  to_coordinator_ = std::move(to_coordinator);
}

bool Network::cut_off(std::size_t node) const {
  for (std::size_t i = 0; i < world_.network.partitions.size(); ++i) {
    const Partition& partition = world_.network.partitions[i];
    if (timeline_.now() < partition.when.from || timeline_.now() >= partition.when.until) continue;
    double place = static_cast<double>(philox(world_.seed, 1'000 + i, node)[0]) / 4294967296.0;
    if (place < partition.share) return true;
  }
  return false;
}

template <class Arrival>
void Network::deliver(std::size_t node, Arrival arrive) {
  ++messages_;
  const NetworkTraits& traits = world_.network;
  if (calm_) return timeline_.after(traits.delay_min_ms, std::move(arrive));
  if (cut_off(node) || happens(rng_, traits.loss)) return;
  if (happens(rng_, traits.duplicate))
    timeline_.after(between(rng_, traits.delay_min_ms, traits.delay_max_ms), arrive);
  timeline_.after(between(rng_, traits.delay_min_ms, traits.delay_max_ms), std::move(arrive));
}

void Network::send_to_node(std::size_t node, CoordinatorMessage message) {
  send_to_node(node, std::make_shared<const CoordinatorMessage>(std::move(message)));
}

void Network::send_to_node(std::size_t node, std::shared_ptr<const CoordinatorMessage> message) {
  if (wire_ != nullptr)
    message = std::make_shared<const CoordinatorMessage>(wire_->pass(*message));
  deliver(node, NodeEvent{node, [this, node, message] { return to_node_(node, *message); }});
}

void Network::send_to_coordinator(std::size_t node, std::shared_ptr<const NodeMessage> message) {
  if (wire_ != nullptr) message = std::make_shared<const NodeMessage>(wire_->pass(node, *message));
  deliver(node, [this, node, message] { to_coordinator_(node, *message); });
}

void Network::send_garbage(std::size_t node) {
  if (wire_ != nullptr) wire_->pass_garbage(node, rng_);
}

}  // namespace freshet::sim
