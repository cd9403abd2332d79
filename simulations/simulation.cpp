#include "simulations/simulation.h"

#include <fmt/core.h>

#include <memory>

#include "crypto/digest.h"
#include "crypto/remembered_signatures.h"
#include "simulations/node_process.h"
#include "simulations/toy_training.h"
#include "simulations/wire.h"

namespace freshet::sim {
namespace {

constexpr std::int64_t kTickMs = 500;
constexpr std::int64_t kCalmMs = 60'000;  // after the end, for the nodes to hear of it

class Simulation {
 public:
  Simulation(const World& world, const Machines& machines, int threads)
      : world_(world),
        machines_(machines),
        timeline_(threads),
        adapter_(world.entries, 0.0f),
        initial_(campaign::begin(kCampaign, world.rules, digest_of(floats_to_bytes(adapter_)),
                                 timeline_.now())),
        wire_(world.wire ? std::make_unique<Wire>(world.nodes.size()) : nullptr),
        network_(world, timeline_, wire_.get()),
        invariants_(world, machines, initial_, adapter_),
        stage_{world_,
               machines_,
               timeline_,
               network_,
               wire_.get(),
               invariants_,
               world.members.get(),
               world.members ? &invariants_.promises() : nullptr},
        coordinator_(stage_, initial_, adapter_) {
    for (std::size_t i = 0; i < world.nodes.size(); ++i)
      nodes_.push_back(std::make_unique<NodeProcess>(stage_, i));
    network_.connect(
        [this](std::size_t node, const CoordinatorMessage& message) {
          nodes_[node]->receive(message);
          return nodes_[node]->take_deeds();
        },
        [this](std::size_t node, const NodeMessage& message) {
          coordinator_.receive(node, message);
        });
  }

  Outcome run() {
    for (auto& node : nodes_) {
      node->start();
      for (const auto& deed : node->take_deeds()) deed();
    }
    tick();
    while (goes_on() && !coordinator_.over())
      if (!timeline_.advance(Instant{world_.end_ms}, [this] { return goes_on(); })) break;
    const Instant end = timeline_.now();
    invariants_.ended(coordinator_.state(), coordinator_.over());
    calm_down();
    return outcome(end);
  }

 private:
  bool goes_on() const { return !invariants_.violation(); }

  void tick() {
    coordinator_.tick();
    std::vector<NodeEvent> ticks;
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      ticks.push_back({i, [node = nodes_[i].get()] {
                         node->tick();
                         return node->take_deeds();
                       }});
    timeline_.together(std::move(ticks), [this] { return goes_on(); });
    timeline_.after(kTickMs, [this] { tick(); });
  }

  // When nothing goes wrong any more, every node that runs comes to know that the campaign is over.
  void calm_down() {
    network_.calm_down();
    for (auto& node : nodes_) node->calm_down();
    const Instant end = timeline_.now() + kCalmMs;
    while (goes_on() && timeline_.advance(end, [this] { return goes_on(); })) {
    }
    const campaign::Campaign& state = coordinator_.state();
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const auto* done = std::get_if<session::Done>(&nodes_[i]->session().phase);
      if (!nodes_[i]->up() || world_.nodes[i].lie != Lie::kNone) continue;
      if (done == nullptr || done->version != state.version)
        invariants_.violated(
            fmt::format("node {} does not know that the campaign is over", id_of(world_, i).value));
    }
  }

  Outcome outcome(Instant end) const {
    const campaign::Campaign& state = coordinator_.state();
    Outcome outcome;
    outcome.seed = world_.seed;
    outcome.trace = timeline_.trace();
    outcome.events = timeline_.events();
    outcome.messages = network_.messages();
    outcome.attempts = state.last_round.value;
    outcome.versions = state.version.value;
    outcome.crashes = coordinator_.crashes();
    outcome.finished = std::holds_alternative<campaign::Finished>(state.phase);
    if (const auto* failed = std::get_if<campaign::Failed>(&state.phase)) outcome.why = failed->why;
    outcome.simulated_ms = end.ms;
    outcome.violation = invariants_.violation();
    return outcome;
  }

  const World& world_;
  const Machines& machines_;
  Timeline timeline_;
  std::vector<float> adapter_;
  campaign::Campaign initial_;
  std::unique_ptr<Wire> wire_;
  Network network_;
  Invariants invariants_;
  Stage stage_;
  CoordinatorProcess coordinator_;
  std::vector<std::unique_ptr<NodeProcess>> nodes_;
};

}  // namespace

Outcome simulate(const World& world, const Machines& machines, int threads) {
  const RememberSignatures remembered;
  return Simulation(world, machines, threads).run();
}

}  // namespace freshet::sim
