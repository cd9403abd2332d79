#pragma once
// Simulated time: things that happen at an instant, in order of instant and then of asking. And the
// running hash of everything that happened, by which two runs are compared.

#include <functional>
#include <queue>
#include <vector>

#include "base/clock.h"
#include "simulations/crew.h"

namespace freshet::sim {

using Deeds = std::vector<std::function<void()>>;

// What happens to one node. It changes that node alone; what it does to all else comes back, to be
// done afterwards. So events of several nodes can happen side by side, and their deeds follow in
// the order of the events: as if there were one thread.
struct NodeEvent {
  std::size_t node;
  std::function<Deeds()> happens;
};

class Timeline {
 public:
  explicit Timeline(int threads) : crew_(threads) {}

  Instant now() const { return now_; }
  void at(Instant when, std::function<void()> happens) {
    queue_.push(Entry{when < now_ ? now_ : when, order_++, std::move(happens), {}});
  }
  void at(Instant when, NodeEvent event) {
    queue_.push(Entry{when < now_ ? now_ : when, order_++, {}, std::move(event)});
  }
  template <class Event>
  void after(std::int64_t ms, Event event) {
    at(now_ + ms, std::move(event));
  }

  // Lets the next thing happen, with what else stands next at that instant where all are events of
  // nodes; `goes_on` is asked before the deeds of each. False: there is nothing before `end`.
  bool advance(Instant end, const std::function<bool()>& goes_on);
  // Lets these happen now.
  void together(std::vector<NodeEvent> events, const std::function<bool()>& goes_on);

  // Folds into the trace what happens now.
  void note(std::uint64_t what, std::uint64_t who = 0, std::uint64_t detail = 0) {
    for (std::uint64_t word : {static_cast<std::uint64_t>(now_.ms), what, who, detail}) {
      trace_ = (trace_ ^ word) * 0x9E3779B97F4A7C15u;
      trace_ ^= trace_ >> 29;
    }
    ++events_;
  }
  std::uint64_t trace() const { return trace_; }
  std::uint64_t events() const { return events_; }

 private:
  struct Entry {
    Instant at;
    std::uint64_t order;
    std::function<void()> happens;  // else it is of a node
    NodeEvent of_node;
    bool operator<(const Entry& other) const {  // the queue has its greatest on top
      return other.at < at || (other.at == at && other.order < order);
    }
  };
  Entry pop();

  Crew crew_;
  std::priority_queue<Entry> queue_;
  Instant now_;
  std::uint64_t order_ = 0, trace_ = 0x6672657368657421u, events_ = 0;
};

}  // namespace freshet::sim
