#pragma once
// A text, a small model and the words of `freshet model finetune` over them.

#include <gtest/gtest.h>

#include <fstream>

#include "model/files/model_parts.h"
#include "model/files/peft_adapter.h"
#include "tests/cli/verb_process.h"
#include "tests/temp_folder.h"

namespace freshet {

inline const std::string kModel = "tests/trainer/golden/qwen3";

struct Finetune : testing::Test {
  Finetune() {
    std::ofstream text(place / "notes.txt");
    for (int i = 0; i < 160; ++i)
      text << "line " << i % 7 << " when the rivers rise the "
           << (i % 3 == 0 ? "miller" : "ferryman") << " sleeps\n";
    std::ofstream rows(place / "rows.jsonl");
    for (int i = 0; i < 24; ++i)
      rows << R"({"prompt": "how many )" << i << R"(? <|im_end|>", "completion": "there are )" << i
           << R"("})" << '\n';
  }
  std::string at(const std::string& name) const { return (place / name).string(); }
  Words words(const std::string& out, const Words& more = {}) const {
    Words all = {"finetune", kModel,     "--data", at("notes.txt"), "--out", at(out), "--rank",
                 "4",        "--window", "16",     "--batch",       "2",     "--lr",  "0.01",
                 "--json",   "--seed",   "3",      "--threads",     "1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::vector<float> adapter(const std::string& name) const {
    const ModelConfig config = *read_config(*open_model_folder(kModel));
    return read_peft_adapter(*open_peft_folder(at(name)), config).value().values;
  }
  TempFolder place;
};

}  // namespace freshet
