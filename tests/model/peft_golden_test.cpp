// Adapters that peft wrote (tests/model/golden/peft/make_adapters.py): read with the ranks and
// scales that peft gives.

#include <gtest/gtest.h>

#include "base/json.h"
#include "model/files/peft_adapter.h"

namespace freshet {
namespace {

class PeftGolden : public testing::TestWithParam<const char*> {
 protected:
  Path folder() const { return Path("tests/model/golden/peft") / GetParam(); }
  Json json(const char* name) const {
    return *parse_json(*read_file(folder() / name, 1 << 20), name);
  }
  ModelConfig config() const {
    const auto config = parse_model_config(json("config.json").dump(), "config.json");
    EXPECT_TRUE(config) << config.error().what;
    return config.value_or(ModelConfig{});
  }
};

TEST_P(PeftGolden, HasTheRanksAndScalesOfPeft) {
  const auto files = open_peft_folder(folder());
  ASSERT_TRUE(files);
  const auto adapter = read_peft_adapter(*files, config());
  ASSERT_TRUE(adapter) << adapter.error().what;
  const Layout layout = *adapter_layout(config(), adapter->spec);
  const Json modules = json("modules.json");
  ASSERT_EQ(layout.entries.size(), 2 * modules.size());
  for (const LayoutEntry& entry : layout.entries) {
    ASSERT_TRUE(modules.contains(entry.module)) << entry.module;
    const Json& expected = modules[entry.module];
    EXPECT_EQ(entry.factor == Factor::kA ? entry.rows : entry.columns, expected["rank"])
        << entry.module;
    EXPECT_FLOAT_EQ(entry.scale, expected["scale"].get<float>()) << entry.module;
  }
}

INSTANTIATE_TEST_SUITE_P(Written, PeftGolden, testing::Values("llama", "qwen2", "qwen3", "gpt2"));

}  // namespace
}  // namespace freshet
