// What versions are made of beside sums: an adapter told apart from an earlier one, the clip of the
// next round, and the lines that people read.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <set>

#include "base/json.h"
#include "coordinator/event_log.h"
#include "coordinator/masked_sum.h"
#include "coordinator/told_apart.h"
#include "crypto/digest.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

TEST(ToldApart, IsAnotherAdapterForEveryVersionAndHardlyAnotherModel) {
  const std::vector<float> adapter{0.0f, 0.25f, -1.5f, 3e-9f};
  std::set<Digest> digests{digest_of(as_bytes(std::span<const float>(adapter)))};
  for (std::uint64_t version = 1; version <= adapter.size(); ++version) {
    const std::vector<float> other = told_apart(adapter, {version});
    EXPECT_TRUE(digests.insert(digest_of(as_bytes(std::span<const float>(other)))).second)
        << version;
    for (std::size_t i = 0; i < adapter.size(); ++i)
      EXPECT_LE(std::abs(other[i] - adapter[i]), 1.2e-7f * std::abs(adapter[i])) << version;
  }
  // Taken back again and again it stays told apart, from every one before.
  std::vector<float> again = adapter;
  for (std::uint64_t version = 5; version <= 7; ++version) {
    again = told_apart(again, {version});
    EXPECT_TRUE(version == 5 ||
                digests.insert(digest_of(as_bytes(std::span<const float>(again)))).second);
  }
}

campaign::Published version_of(std::uint64_t version) {
  return {{version}, {version + 1}, Digest{}, 8, {123'456, 1000}, std::nullopt};
}

std::size_t lines_in(const Path& file) {
  std::ifstream in(file);
  std::size_t lines = 0;
  for (std::string line; std::getline(in, line);) ++lines;
  return lines;
}

TEST(EventLog, HasEveryVersionOnceWhereverItsProcessEnded) {
  TempFolder folder;
  const Path file = folder.path() / "events.jsonl";
  {
    auto log = EventLog::open(file);
    ASSERT_TRUE(log);
    log->add({version_of(0), version_of(1)});
    log->held_back({3}, "it reads \"worse\"");
    log->add({version_of(0), version_of(1), version_of(2)});
  }
  std::ofstream(file, std::ios::app) << R"({"event":"version","vers)";  // a crash cut it short
  auto log = EventLog::open(file);
  ASSERT_TRUE(log) << log.error().what;
  log->add({version_of(1), version_of(2), version_of(3)});
  log->add(campaign::Group{{4}, Digest{}, 5, {}}, {3});
  EXPECT_EQ(lines_in(file), 6u);
  const auto versions = log->versions();
  ASSERT_TRUE(versions) << versions.error().what;
  ASSERT_EQ(versions->size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ((*versions)[i]["version"], i);
  EXPECT_DOUBLE_EQ((*versions)[1]["heldout_bpb_before"].get<double>(), 0.123456);
}

TEST(EventLog, RefusesAFileThatIsNone) {
  TempFolder folder;
  std::ofstream(folder.path() / "events.jsonl") << "no json at all\n";
  const auto log = EventLog::open(folder.path() / "events.jsonl");
  ASSERT_FALSE(log);
  EXPECT_NE(log.error().what.find("events.jsonl"), std::string::npos) << log.error().what;
}

Descriptor noisy_round(double clip) {
  Descriptor d;
  d.clip = clip;
  d.grid = {.range = 1.0f / 16, .bits = 16, .weight_max = 1};
  d.cohort_max = 64;
  d.noise = {.multiplier = 1, .honest_min = 4, .counts_clipped = true};
  return d;
}

TEST(ClipAfter, RisesAbovePlansClipAndStopsAtWhatTheGridHolds) {
  const ClipRule rule{0.5, 0.2};
  constexpr std::size_t kEntries = 10'000;
  double clip = 1;
  for (int round = 0; round < 100; ++round) {
    const double next = clip_after(noisy_round(clip), 0, rule, kEntries);
    EXPECT_GE(next, clip);
    clip = next;
  }
  EXPECT_GT(clip, 2);
  EXPECT_LE(clip, 6.25 + 1e-9) << "a sixteenth in each of 10,000 entries";
}

TEST(ClipAfter, FallsToAStepOfTheGridAndNoFurther) {
  const ClipRule rule{0.5, 0.2};
  double clip = 1;
  for (int round = 0; round < 400; ++round) clip = clip_after(noisy_round(clip), 1, rule, 100);
  const Descriptor last = noisy_round(clip);
  EXPECT_NEAR(clip, 2.0 / 16 / 65'535, 1e-12);
  EXPECT_TRUE(noise_of(last.noise, last.clip, last.grid, 100)) << "a round can still be opened";
}

}  // namespace
}  // namespace freshet
