#include "simulations/timeline.h"

#include <algorithm>
#include <numeric>

namespace freshet::sim {

Timeline::Entry Timeline::pop() {
  Entry entry = std::move(const_cast<Entry&>(queue_.top()));
  queue_.pop();
  return entry;
}

bool Timeline::advance(Instant end, const std::function<bool()>& goes_on) {
  if (queue_.empty() || queue_.top().at > end) return false;
  Entry entry = pop();
  now_ = entry.at;
  if (entry.happens) {
    entry.happens();
    return true;
  }
  std::vector<NodeEvent> events;
  events.push_back(std::move(entry.of_node));
  while (!queue_.empty() && queue_.top().at == now_ && !queue_.top().happens)
    events.push_back(pop().of_node);
  together(std::move(events), goes_on);
  return true;
}

void Timeline::together(std::vector<NodeEvent> events, const std::function<bool()>& goes_on) {
  // Those of one node one after another, on one thread.
  std::vector<std::size_t> order(events.size()), firsts;
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return events[i].node; });
  for (std::size_t i = 0; i < order.size(); ++i)
    if (i == 0 || events[order[i]].node != events[order[i - 1]].node) firsts.push_back(i);
  std::vector<Deeds> deeds(events.size());
  crew_.each(firsts.size(), [&](std::size_t piece) {
    const std::size_t last = piece + 1 < firsts.size() ? firsts[piece + 1] : order.size();
    for (std::size_t i = firsts[piece]; i < last; ++i) deeds[order[i]] = events[order[i]].happens();
  });
  for (Deeds& each : deeds) {
    if (!goes_on()) return;
    for (const auto& deed : each) deed();
    each.clear();
  }
}

}  // namespace freshet::sim
