#pragma once
// Simulated time: things that happen at an instant, in order of instant and then of asking. And the running hash of
// everything that happened, by which two runs are compared.

#include <functional>
#include <queue>
#include <vector>

#include "base/clock.h"

namespace freshet::sim {

class Timeline {
 public:
  Instant now() const { return now_; }
  void at(Instant when, std::function<void()> happens) {
    queue_.push(Entry{when < now_ ? now_ : when, order_++, std::move(happens)});
  }
  void after(std::int64_t ms, std::function<void()> happens) { at(now_ + ms, std::move(happens)); }

  // Lets the next thing happen. False: there is none before `end`.
  bool advance(Instant end) {
    if (queue_.empty() || queue_.top().at > end) return false;
    Entry entry = std::move(const_cast<Entry&>(queue_.top()));
    queue_.pop();
    now_ = entry.at;
    entry.happens();
    return true;
  }

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
    std::function<void()> happens;
    bool operator<(const Entry& other) const {  // the queue has its greatest on top
      return other.at < at || (other.at == at && other.order < order);
    }
  };
  std::priority_queue<Entry> queue_;
  Instant now_;
  std::uint64_t order_ = 0, trace_ = 0x6672657368657421u, events_ = 0;
};

}  // namespace freshet::sim
