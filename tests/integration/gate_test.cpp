#include "coordinator/gate.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cmath>

#include "tests/integration/fleet.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

struct Gates : testing::Test {
  Gates() {
    auto started = Gate::start(task());
    EXPECT_TRUE(started) << started.error().what;
    gate.emplace(std::move(*started));
  }
  Gate::Task task() const {
    Gate::Task task;
    task.model = world.model().string();
    task.public_text = (world.model().parent_path() / "public").string();
    task.window = 16;
    task.margin = 0.5;
    task.trainer.binary = binary_folder() / "integration_toy_trainer";
    return task;
  }
  Result<Gate::Answer> answer() {
    for (;;) {
      TRY_ASSIGN(const std::optional<Gate::Answer> found, gate->poll());
      if (found) return *found;
      pollfd ready{gate->descriptor(), POLLIN, 0};
      if (::poll(&ready, 1, 20'000) != 1) return fail(Code::kExpired, "no answer");
    }
  }
  Gate::Answer asked(std::vector<float> current, std::vector<float> candidate) {
    EXPECT_TRUE(gate->ask(std::move(current), std::move(candidate)));
    const auto found = answer();
    EXPECT_TRUE(found) << found.error().what;
    return found.value_or(Gate::Answer{});
  }

  TempFolder folder;
  World world = World::make(folder.path() / "w", {.nodes = 1});
  std::optional<Gate> gate;
};

// The toy's loss is the distance from a point in [-1, 1] that the text fixes.
TEST_F(Gates, OpenForWhatReadsPublicTextNoWorse) {
  const std::vector<float> zeros(8, 0.0f), far(8, 3.0f);
  const Gate::Answer same = asked(zeros, zeros);
  EXPECT_TRUE(same.passes);
  EXPECT_EQ(same.before, same.candidate);
  EXPECT_GT(same.before, 0);
  const Gate::Answer worse = asked(zeros, far);
  EXPECT_FALSE(worse.passes);
  EXPECT_GT(worse.candidate, worse.before + 0.5);
  EXPECT_TRUE(asked(far, zeros).passes);
}

TEST_F(Gates, StayShutForALossThatIsNoNumber) {
  EXPECT_FALSE(asked(std::vector<float>(8, 0.0f), std::vector<float>(8, NAN)).passes);
  EXPECT_TRUE(asked(std::vector<float>(8, 0.0f), std::vector<float>(8, 0.0f)).passes);
}

TEST_F(Gates, ForgetAQuestionForALaterOne) {
  const std::vector<float> zeros(8, 0.0f), far(8, 3.0f);
  ASSERT_TRUE(gate->ask(zeros, far));
  const Gate::Answer later = asked(zeros, zeros);
  EXPECT_TRUE(later.passes);
  EXPECT_EQ(later.before, later.candidate);
}

TEST_F(Gates, SayWhatTheyCannotRead) {
  Gate::Task without = task();
  without.public_text = (folder.path() / "nowhere").string();
  EXPECT_FALSE(Gate::start(without));
  ASSERT_TRUE(write_file_durably(world.model().parent_path() / "public" / "bad.txt",
                                 as_bytes(std::string_view("\0", 1)), 0600));
  auto started = Gate::start(task());
  ASSERT_TRUE(started);
  gate.emplace(std::move(*started));
  ASSERT_TRUE(gate->ask({0}, {0}));
  const auto found = answer();
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().what.find("public text"), std::string::npos) << found.error().what;
}

}  // namespace
}  // namespace freshet
