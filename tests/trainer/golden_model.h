#pragma once
// One of the tiny models of tests/trainer/golden, with what Hugging Face's libraries said of it
// (make_models.py).

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "base/json.h"
#include "model/files/model_files.h"
#include "model/files/peft_adapter.h"
#include "model/files/safetensors.h"
#include "model/files/weights.h"
#include "trainer/transformer/transformer.h"

namespace freshet::golden {

inline const char* const kNames[] = {"gpt2",           "llama-bias-linear", "llama3-tied-shards",
                                     "mistral-window", "qwen2-window",      "qwen3"};

inline std::string read(const Path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_FALSE(text.str().empty()) << path;
  return text.str();
}

struct Model {
  explicit Model(const std::string& name, Precision precision = Precision::kF32)
      : folder(Path("tests/trainer/golden") / name) {
    expected = Json::parse(read(folder / "expected.json"));
    files = open_model_folder(folder).value();
    config = parse_model_config(read(folder / "config.json"), name).value();
    transformer =
        load_transformer(config, std::make_shared<const Weights>(Weights::open(files).value()),
                         precision)
            .value();
  }
  PeftAdapter adapter() const {
    return read_peft_adapter(open_peft_folder(folder / "adapter").value(), config).value();
  }
  std::vector<std::int32_t> ids() const {
    return expected["ids"][0].get<std::vector<std::int32_t>>();
  }

  Path folder;
  Json expected;
  ModelFiles files;
  ModelConfig config;
  Transformer transformer;
};

}  // namespace freshet::golden
