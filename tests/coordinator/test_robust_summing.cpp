#include <gtest/gtest.h>

#include <cmath>

#include "aggregation/clip.h"
#include "aggregation/robust/combine.h"
#include "base/rng.h"
#include "coordinator/summing.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

constexpr std::size_t kNodes = 11;

struct RobustSums : testing::Test {
  RobustSums() {
    plan.grid = {.range = 1, .bits = 16, .weight_max = 1};
    plan.clip = 1;
    ModelConfig config;
    config.vocab_size = 8, config.hidden_size = 16, config.intermediate_size = 8, config.layers = 1;
    config.heads = config.kv_heads = 2, config.head_dim = 8, config.max_positions = 8;
    whole = adapter_layout(config, {2, 4, {"q_proj", "v_proj"}}).value();
    base = store_floats(adapters, std::vector<float>(whole.size, 0.0f)).value();
  }

  // Honest nodes near one vector, and one in five on the other side; all within the clip.
  std::vector<round::Survivor> uploads_of(const RoundShape& shape) {
    std::vector<round::Survivor> parts;
    for (std::size_t node = 0; node < kNodes; ++node) {
      Update update;
      for (std::size_t i = 0; i < shape.phase.size; ++i)
        update.values.push_back(static_cast<float>((node % 5 == 4 ? -4 : 1) + 0.3 * rng.normal()));
      parts.push_back(upload({node + 1}, clip(std::move(update), 1).value().update, shape));
    }
    return parts;
  }

  round::Survivor upload(NodeId node, const ClippedUpdate& update, const RoundShape& shape) {
    const QuantizedUpdate quantized =
        quantize(update, plan.grid, [&](std::span<std::uint32_t> out) {
          for (std::uint32_t& word : out) word = rng.next_u32();
        });
    std::vector<float>& row = opened.emplace_back();
    for (std::size_t i = 0; i < update.values.size(); ++i)
      row.push_back(static_cast<float>(quantized.words[i] * (2.0 / 65535) - 1));
    const SealedUpdate sealed =
        seal_update(quantized, plan.grid, coordinator.open.sealing, {{1}, {1}, node, shape.digest});
    return {node, uploads.put(sealed.bytes).value()};
  }

  Sum sum(const RoundShape& shape, const std::vector<round::Survivor>& parts,
          const RobustRule& rule, std::size_t block_bytes) {
    auto made = add_and_step({adapters, uploads}, shape, coordinator,
                             {{1}, {1}, {0}, base, parts, folder.path(), rule, block_bytes});
    EXPECT_TRUE(made) << made.error().what;
    return made ? *made : Sum{};
  }

  static constexpr std::uint64_t kSeed = 17;
  testing::ScopedTrace trace{__FILE__, __LINE__, "seed " + std::to_string(kSeed)};
  Rng rng{kSeed};
  TempFolder folder;
  Identity coordinator = Identity::generate();
  CampaignPlan plan;
  Layout whole;
  BlobStore adapters = BlobStore::open(folder.path() / "a").value();
  BlobStore uploads = BlobStore::open(folder.path() / "u").value();
  Digest base{};
  std::vector<std::vector<float>> opened;
};

TEST_F(RobustSums, AreWhatTheRuleMakesOfTheOpenedUpdatesInBlocksOfAnySize) {
  const RoundShape shape = round_shape(plan, whole, {0});
  const auto parts = uploads_of(shape);
  const std::vector<RobustRule> rules = {
      Median{}, TrimmedMean{2}, Krum{2}, MultiKrum{2, 4}, Bulyan{2}, GeometricMedian{50, 1e-5}};
  for (const RobustRule& rule : rules) {
    const Sum whole_block = sum(shape, parts, rule, 1 << 20);
    ASSERT_TRUE(whole_block.spoiled.empty());
    for (const std::size_t block : {std::size_t{1}, std::size_t{3 * 4 * kNodes}})
      EXPECT_EQ(sum(shape, parts, rule, block).adapter, whole_block.adapter) << name_of(rule);
    const auto adapter = load_floats(adapters, whole_block.adapter, whole.size).value();
    const auto wanted = robust_mean(rule, opened).value();
    const auto got = gather(whole, shape.phase, adapter);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      ASSERT_NEAR(got[i], wanted[i], 1e-5) << name_of(rule) << ", entry " << i;
    double mean = 0;
    for (const float value : got) mean += value / static_cast<double>(got.size());
    EXPECT_GT(mean, 0.05) << name_of(rule);  // the honest side, where entries are about 0.12
  }
}

TEST_F(RobustSums, NameEveryNodeThatDidNotClip) {
  const RoundShape shape = round_shape(plan, whole, {0});
  auto parts = uploads_of(shape);
  const ClippedUpdate longer{std::vector<float>(shape.phase.size, 0.5f), 1};
  parts[3] = upload({4}, longer, shape);
  parts[8] = upload({9}, longer, shape);
  for (const RobustRule& rule : {RobustRule{Mean{}}, RobustRule{Median{}}, RobustRule{Krum{2}}})
    EXPECT_EQ(sum(shape, parts, rule, 100).spoiled, (std::vector<NodeId>{{4}, {9}}))
        << name_of(rule);
  const MappedFile sealed = uploads.map(parts[3].upload).value();
  const auto alone = check_update(sealed.view(), shape, coordinator, {{1}, {1}, {4}, shape.digest});
  ASSERT_FALSE(alone);
  EXPECT_NE(alone.error().what.find("did not clip"), std::string::npos) << alone.error().what;
}

}  // namespace
}  // namespace freshet
