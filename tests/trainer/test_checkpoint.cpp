// A saved training comes back as it was, and is refused where it is damaged or of another training.

#include <gtest/gtest.h>

#include <limits>

#include "crypto/digest.h"
#include "tests/temp_folder.h"
#include "trainer/training/checkpoint.h"

namespace freshet {
namespace {

Checkpoint example() {
  Checkpoint checkpoint;
  checkpoint.terms = {{"--lr", "0.01"}, {"model", std::string(64, 'a')}, {"--order", ""}};
  checkpoint.state = {
      3, {1.5f, -2, 0, 4}, {0.1f, 0.2f, 0.3f, 0.4f}, {1, 2, 3, 4}, {0.5, 1e-300}, {3, 2, 1}};
  return checkpoint;
}

Bytes encoded(const Checkpoint& checkpoint) {
  return encode_checkpoint(checkpoint.terms, checkpoint.state);
}

void resign(Bytes& bytes) {
  const std::size_t told = bytes.size() - sizeof(Digest);
  const Digest digest = digest_of(ByteView(bytes).first(told));
  std::copy(digest.begin(), digest.end(), bytes.begin() + static_cast<std::ptrdiff_t>(told));
}

TEST(Checkpoint, ComesBackAsItWas) {
  const TempFolder place;
  const Checkpoint was = example();
  ASSERT_TRUE(write_checkpoint(place / "state", was.terms, was.state));
  const auto is = read_checkpoint(place / "state");
  ASSERT_TRUE(is) << is.error().what;
  EXPECT_EQ(is->terms, was.terms);
  EXPECT_EQ(is->state.step, was.state.step);
  EXPECT_EQ(is->state.adapter, was.state.adapter);
  EXPECT_EQ(is->state.first, was.state.first);
  EXPECT_EQ(is->state.second, was.state.second);
  EXPECT_EQ(is->state.directions, was.state.directions);
  EXPECT_EQ(is->state.losses, was.state.losses);
}

TEST(Checkpoint, EveryChangedByteAndEveryCutIsFound) {
  const Bytes good = encoded(example());
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= 1;
    EXPECT_FALSE(decode_checkpoint(bad, "state")) << i;
    EXPECT_FALSE(decode_checkpoint(ByteView(good).first(i), "state")) << i;
  }
  EXPECT_EQ(decode_checkpoint({}, "state").error().code, Code::kBadInput);
  Bytes longer = good;
  longer.insert(longer.end() - sizeof(Digest), 0);
  resign(longer);
  EXPECT_EQ(decode_checkpoint(longer, "state").error().code, Code::kCorrupt);
}

// Under a digest that is right, so that it alone does not stop them.
TEST(Checkpoint, CountsThatDoNotFitAreRefused) {
  const auto refused = [](auto change) {
    Checkpoint checkpoint = example();
    change(checkpoint.state);
    return !decode_checkpoint(encoded(checkpoint), "state");
  };
  EXPECT_FALSE(refused([](TrainState&) {}));
  EXPECT_FALSE(refused([](TrainState& state) { state.first = state.second = {}; }));
  EXPECT_TRUE(refused([](TrainState& state) { state.step = -1; }));
  EXPECT_TRUE(refused([](TrainState& state) { state.step = 2; }));
  EXPECT_TRUE(refused([](TrainState& state) { state.second.pop_back(); }));
  EXPECT_TRUE(refused([](TrainState& state) { state.first = state.second = {1}; }));
  EXPECT_TRUE(refused(
      [](TrainState& state) { state.adapter[1] = std::numeric_limits<float>::quiet_NaN(); }));
  Bytes huge = encoded(example());
  const std::size_t losses = huge.size() - sizeof(Digest) - 3 * sizeof(float) - 8;
  for (std::size_t i = 0; i < 8; ++i) huge[losses + i] = 0xff;
  resign(huge);
  EXPECT_EQ(decode_checkpoint(huge, "state").error().code, Code::kCorrupt);
}

TEST(Checkpoint, AnotherTrainingIsNamedByWhatDiffers) {
  const TrainingTerms saved = example().terms;
  EXPECT_TRUE(check_same_training(saved, saved, "state"));
  const auto says = [&](std::size_t term, const std::string& value) {
    TrainingTerms wanted = saved;
    wanted[term].second = value;
    return check_same_training(saved, wanted, "state").error().what;
  };
  EXPECT_NE(says(0, "0.02").find("--lr was 0.01, not 0.02"), std::string::npos);
  EXPECT_NE(says(1, std::string(64, 'b')).find("another model"), std::string::npos);
  EXPECT_EQ(says(1, std::string(64, 'b')).find("bbbb"), std::string::npos);
  EXPECT_NE(says(2, "windows").find("--order was not set, not windows"), std::string::npos);
  TrainingTerms fewer = saved;
  fewer.pop_back();
  EXPECT_FALSE(check_same_training(saved, fewer, "state"));
}

}  // namespace
}  // namespace freshet
