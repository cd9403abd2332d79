#include "model/adapter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/rng.h"

namespace freshet {
namespace {

ModelConfig small() {
  ModelConfig config;
  config.hidden_size = 12;
  config.intermediate_size = 20;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 4;
  config.vocab_size = 10;
  return config;
}

TEST(AdapterLayout, IsLayerByLayerModuleByModuleABeforeB) {
  const auto layout = adapter_layout(small(), {2, 4, {}});
  ASSERT_TRUE(layout) << layout.error().what;
  ASSERT_EQ(layout->entries.size(), 2u * 7 * 2);
  const struct {
    const char* module;
    int in, out;
  } modules[] = {
      {"self_attn.q_proj", 12, 16}, {"self_attn.k_proj", 12, 8}, {"self_attn.v_proj", 12, 8},
      {"self_attn.o_proj", 16, 12}, {"mlp.gate_proj", 12, 20},   {"mlp.up_proj", 12, 20},
      {"mlp.down_proj", 20, 12},
  };
  std::size_t offset = 0, i = 0;
  for (int layer = 0; layer < 2; ++layer)
    for (const auto& module : modules) {
      const LayoutEntry &a = layout->entries[i++], &b = layout->entries[i++];
      const std::string name = "model.layers." + std::to_string(layer) + "." + module.module;
      EXPECT_EQ(a.module, name);
      EXPECT_EQ(b.module, name);
      EXPECT_TRUE(a.factor == Factor::kA && a.rows == 2 && a.columns == module.in) << name;
      EXPECT_TRUE(b.factor == Factor::kB && b.rows == module.out && b.columns == 2) << name;
      EXPECT_EQ(a.offset, offset);
      EXPECT_EQ(b.offset, offset + a.size());
      offset += a.size() + b.size();
    }
  EXPECT_EQ(layout->size, offset);
}

TEST(AdapterLayout, KeepsItsOrderWhateverTheOrderOfTargets) {
  const auto one = adapter_layout(small(), {2, 4, {"down_proj", "q_proj"}}),
             other = adapter_layout(small(), {2, 4, {"q_proj", "down_proj"}});
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->entries.size(), 8u);
  EXPECT_EQ(one->entries[0].module, "model.layers.0.self_attn.q_proj");
  EXPECT_EQ(canonical_bytes(*one), canonical_bytes(*other));
}

TEST(AdapterLayout, RefusesUnknownTargetsAndRanks) {
  EXPECT_NE(adapter_layout(small(), {2, 4, {"lm_head"}}).error().what.find("\"lm_head\""),
            std::string::npos);
  EXPECT_NE(adapter_layout(small(), {2, 4, {"q_proj", "q_proj"}}).error().what.find("twice"),
            std::string::npos);
  EXPECT_FALSE(adapter_layout(small(), {0, 4, {}}));
  EXPECT_FALSE(adapter_layout(small(), {1025, 4, {}}));
  ModelConfig huge = small();
  huge.intermediate_size = 1 << 18;
  huge.layers = 1000;
  EXPECT_NE(adapter_layout(huge, {1024, 4, {}}).error().what.find("lower rank"), std::string::npos);
}

ModelConfig small_gpt2() {
  ModelConfig config = small();
  config.architecture = Architecture::kGpt2;
  config.heads = config.kv_heads = 3;
  return config;
}

std::vector<std::string> modules_of(const ModelConfig& config, const AdapterSpec& spec) {
  const auto layout = adapter_layout(config, spec);
  EXPECT_TRUE(layout) << layout.error().what;
  std::vector<std::string> modules;
  if (layout)
    for (const LayoutEntry& entry : layout->entries)
      if (entry.factor == Factor::kA) modules.push_back(entry.module);
  return modules;
}

using Names = std::vector<std::string>;

TEST(AdapterTargets, NameModulesByTheEndsOfTheirNames) {
  EXPECT_EQ(modules_of(small_gpt2(), {2, 4, {"c_proj"}}),
            (Names{"transformer.h.0.attn.c_proj", "transformer.h.0.mlp.c_proj",
                   "transformer.h.1.attn.c_proj", "transformer.h.1.mlp.c_proj"}));
  EXPECT_EQ(modules_of(small_gpt2(), {2, 4, {"mlp.c_proj"}}),
            (Names{"transformer.h.0.mlp.c_proj", "transformer.h.1.mlp.c_proj"}));
  EXPECT_EQ(modules_of(small(), {2, 4, {"model.layers.1.self_attn.q_proj", "0.mlp.up_proj"}}),
            (Names{"model.layers.0.mlp.up_proj", "model.layers.1.self_attn.q_proj"}));
  for (const char* part : {"proj", "_proj", "", "self_attn", "q_proj.", ".q_proj", "Q_PROJ"})
    EXPECT_FALSE(adapter_layout(small(), {2, 4, {part}})) << part;
}

TEST(AdapterTargets, NoneMeansEveryLinearModuleOfTheLayers) {
  EXPECT_EQ(modules_of(small_gpt2(), {}),
            (Names{"transformer.h.0.attn.c_attn", "transformer.h.0.attn.c_proj",
                   "transformer.h.0.mlp.c_fc", "transformer.h.0.mlp.c_proj",
                   "transformer.h.1.attn.c_attn", "transformer.h.1.attn.c_proj",
                   "transformer.h.1.mlp.c_fc", "transformer.h.1.mlp.c_proj"}));
  const Layout layout = *adapter_layout(small_gpt2(), {2, 4, {"c_attn"}});
  EXPECT_EQ(layout.entries[0].columns, 12);
  EXPECT_EQ(layout.entries[1].rows, 36);
}

TEST(AdapterTargets, MayBeOfSomeLayersOnly) {
  AdapterSpec spec{2, 4, {"q_proj"}};
  spec.layers = {1};
  EXPECT_EQ(modules_of(small(), spec), Names{"model.layers.1.self_attn.q_proj"});
  spec.targets.push_back("model.layers.0.mlp.up_proj");  // a full name is adapted all the same
  EXPECT_EQ(modules_of(small(), spec),
            (Names{"model.layers.0.mlp.up_proj", "model.layers.1.self_attn.q_proj"}));
  spec.layers = {2};
  EXPECT_NE(adapter_layout(small(), spec).error().what.find("layer 2"), std::string::npos);
}

TEST(AdapterPatterns, TheFirstThatMatchesGivesRankAndAlpha) {
  AdapterSpec spec{4, 8, {"q_proj", "k_proj", "v_proj"}};
  spec.rank_pattern = {{"model.layers.0.self_attn.q_proj", 2}, {"q_proj", 6}, {"[qk]_proj", 1}};
  spec.alpha_pattern = {{R"(layers\.1\..*k_proj)", 3}};
  const Layout layout = *adapter_layout(small(), spec);
  std::vector<std::pair<int, float>> found;
  for (const LayoutEntry& entry : layout.entries)
    if (entry.factor == Factor::kA) found.emplace_back(entry.rows, entry.scale);
  const std::vector<std::pair<int, float>> expected = {{2, 4.0f},     {1, 8.0f}, {4, 2.0f},
                                                       {6, 8.0f / 6}, {1, 3.0f}, {4, 2.0f}};
  EXPECT_EQ(found, expected);
  EXPECT_EQ(layout.entries[1].columns, 2);
  EXPECT_EQ(layout.entries[1].scale, 4.0f);
}

TEST(AdapterPatterns, MatchWholePartsOfANameAlone) {
  for (const char* pattern : {"q_pro", "_proj", "attn.q_proj", "layers.0", "x|q_projx"}) {
    AdapterSpec spec{4, 8, {"q_proj"}};
    spec.rank_pattern = {{pattern, 1}};
    EXPECT_EQ(adapter_layout(small(), spec)->entries[0].rows, 4) << pattern;
  }
}

TEST(AdapterPatterns, RefusesWhatIsNoPatternOrNeverEnds) {
  AdapterSpec spec{4, 8, {"q_proj"}};
  for (const char* pattern : {"(", "[a-", "(a+)+b(.*.*.*.*.*.*.*.*.*.*)*z|(.*.*.*.*)*q"}) {
    spec.rank_pattern = {{pattern, 1}};
    const auto layout = adapter_layout(small(), spec);
    ASSERT_FALSE(layout) << pattern;
    EXPECT_NE(layout.error().what.find(pattern), std::string::npos) << layout.error().what;
  }
  spec.rank_pattern = {{std::string(300, 'a'), 1}};
  EXPECT_FALSE(adapter_layout(small(), spec));
  spec.rank_pattern.assign(129, {"a", 1});
  EXPECT_NE(adapter_layout(small(), spec).error().what.find("129"), std::string::npos);
  spec.rank_pattern = {{"q_proj", 0}};
  EXPECT_FALSE(adapter_layout(small(), spec));
}

TEST(AdapterScale, DividesByTheRankOrItsRoot) {
  AdapterSpec spec{16, 8, {"q_proj"}};
  EXPECT_EQ(adapter_layout(small(), spec)->entries[0].scale, 0.5f);
  spec.rslora = true;
  EXPECT_EQ(adapter_layout(small(), spec)->entries[0].scale, 2.0f);
  EXPECT_EQ(spec.scale(), 2.0f);
}

TEST(AdapterLayout, CanonicalBytesTellLayoutsApart) {
  std::set<Bytes> seen;
  const auto whole = *adapter_layout(small(), {2, 4, {}});
  ModelConfig other = small();
  other.hidden_size = 16;
  const Layout layouts[] = {whole,
                            phase_layout(whole, true, false),
                            phase_layout(whole, false, true),
                            *adapter_layout(small(), {3, 4, {}}),
                            *adapter_layout(small(), {2, 4, {"q_proj"}}),
                            *adapter_layout(small(), {2, 4, {"k_proj"}}),
                            *adapter_layout(other, {2, 4, {}})};
  for (const Layout& layout : layouts) EXPECT_TRUE(seen.insert(canonical_bytes(layout)).second);
  const Layout tiny{{{"m", Factor::kB, 3, 258, 0, 1}}, 774};
  EXPECT_EQ(canonical_bytes(tiny), (Bytes{1, 0, 0, 0, 1, 0, 0, 0, 'm', 1, 3, 0, 0, 0, 2, 1, 0, 0}));
}

TEST(Phases, SplitTheAdapterAndPutItTogetherAgain) {
  const std::uint64_t seed = 5;
  Rng rng(seed);
  const Layout whole = *adapter_layout(small(), {3, 6, {}});
  const Layout a = phase_layout(whole, true, false), b = phase_layout(whole, false, true);
  EXPECT_EQ(a.size + b.size, whole.size);
  EXPECT_EQ(canonical_bytes(phase_layout(whole, true, true)), canonical_bytes(whole));
  EXPECT_EQ(phase_layout(whole, false, false).size, 0u);

  std::vector<float> adapter(whole.size), sum(whole.size, 0.0f);
  for (float& value : adapter) value = static_cast<float>(rng.normal());
  for (const Layout* phase : {&a, &b}) {
    const std::vector<float> part = gather(whole, *phase, adapter);
    const LayoutEntry& last = phase->entries.back();
    EXPECT_EQ(last.offset + last.size(), part.size());
    scatter_add(whole, *phase, part, sum);
  }
  EXPECT_EQ(sum, adapter) << "seed " << seed;
  scatter_add(whole, a, gather(whole, a, adapter), sum);
  EXPECT_EQ(sum[0], 2 * adapter[0]);
  EXPECT_EQ(sum.back(), adapter.back());  // the last entry is a B
}

TEST(InitialAdapter, HasBZeroAndAUniformWithVarianceOneOverIn) {
  ModelConfig config = small();
  config.hidden_size = 400;
  const Layout whole = *adapter_layout(config, {32, 4, {"q_proj"}});
  const std::vector<float> adapter = initial_adapter(whole, 7);
  const float reach = std::sqrt(3.0f / 400);
  for (const LayoutEntry& entry : whole.entries) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < entry.size(); ++i) {
      const float value = adapter[entry.offset + i];
      EXPECT_LE(std::abs(value), entry.factor == Factor::kA ? reach : 0.0f);
      sum += value;
      squares += value * value;
    }
    if (entry.factor == Factor::kB) continue;
    const auto n = static_cast<double>(entry.size());
    EXPECT_NEAR(sum / n, 0, 0.002);
    EXPECT_NEAR(squares / n * 400, 1, 0.05);
  }
}

TEST(InitialAdapter, OfOneModuleDoesNotDependOnTheOthers) {
  const Layout whole = *adapter_layout(small(), {2, 4, {}}),
               one = *adapter_layout(small(), {2, 4, {"down_proj"}});
  const std::vector<float> many = initial_adapter(whole, 9), few = initial_adapter(one, 9);
  std::vector<float> from_many(one.size);
  std::set<float> firsts;
  for (const LayoutEntry& entry : whole.entries) {
    if (entry.factor == Factor::kA) firsts.insert(many[entry.offset]);
    for (const LayoutEntry& small_entry : one.entries)
      if (small_entry.module == entry.module && small_entry.factor == entry.factor)
        for (std::size_t i = 0; i < entry.size(); ++i)
          from_many[small_entry.offset + i] = many[entry.offset + i];
  }
  EXPECT_EQ(from_many, few);
  EXPECT_EQ(firsts.size(), 14u);  // each module draws from a stream of its own
  EXPECT_NE(initial_adapter(one, 10), few);
}

}  // namespace
}  // namespace freshet
