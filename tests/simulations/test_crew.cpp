#include <gtest/gtest.h>

#include <string>

#include "simulations/timeline.h"

namespace freshet::sim {
namespace {

TEST(Crew, DoesEveryPieceOnce) {
  for (const int threads : {1, 2, 7}) {
    Crew crew(threads);
    for (std::size_t count = 0; count < 100; ++count) {
      std::vector<int> done(count, 0);
      crew.each(count, [&](std::size_t i) { ++done[i]; });
      EXPECT_EQ(done, std::vector<int>(count, 1)) << threads << " threads";
    }
  }
}

// Two events of node 1 and one of node 0 at one instant, one of the coordinator between others.
std::string told(int threads, std::size_t stop_after = 100) {
  Timeline timeline(threads);
  std::string story;
  std::string heard[2];  // of each node alone
  auto of_node = [&](std::size_t node, const std::string& word) {
    return NodeEvent{node, [&, node, word] {
                       heard[node] += word;
                       return Deeds{[&story, now = heard[node]] { story += now + ' '; }};
                     }};
  };
  timeline.at(Instant{5}, of_node(1, "a"));
  timeline.at(Instant{5}, of_node(0, "b"));
  timeline.at(Instant{5}, of_node(1, "c"));
  timeline.at(Instant{5}, [&] { story += "coordinator "; });
  timeline.at(Instant{5}, of_node(0, "d"));
  timeline.at(Instant{4}, of_node(0, "early"));
  std::size_t deeds = 0;
  while (timeline.advance(Instant{10}, [&] { return deeds++ < stop_after; })) {
  }
  return story;
}

TEST(Timeline, DoesWhatFollowsFromNodesInTheirOrder) {
  for (const int threads : {1, 2, 4})
    for (int again = 0; again < 20; ++again)
      ASSERT_EQ(told(threads), "early a earlyb ac coordinator earlybd ") << threads << " threads";
}

TEST(Timeline, StopsWithinAnInstant) { EXPECT_EQ(told(2, 2), "early a coordinator "); }

}  // namespace
}  // namespace freshet::sim
