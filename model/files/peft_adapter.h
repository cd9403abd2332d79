#pragma once
// LoRA adapters in the form of Hugging Face PEFT: a folder with adapter_config.json and
// adapter_model.safetensors, keys base_model.model.<module>.lora_A.weight and lora_B.weight. A
// variant of LoRA that Freshet does not implement is refused by the name of its option.

#include <string>
#include <vector>

#include "model/adapter.h"
#include "model/model_config.h"
#include "model/files/model_files.h"

namespace freshet {

struct PeftFiles {
  OpenFile config, weights;
};

struct PeftAdapter {
  AdapterSpec spec;           // targets empty where every linear module is adapted
  std::vector<float> values;  // in adapter_layout() order, finite
  std::string base_model;     // as the file names it; may be empty
};

// kBadInput, saying which file is missing and what an adapter folder holds.
Result<PeftFiles> open_peft_folder(const Path& folder);

// kBadInput for an adapter that does not fit the model.
Result<PeftAdapter> read_peft_adapter(const PeftFiles& files, const ModelConfig& config);

// Both files, F32, durably; makes the folder. REQUIRES: values.size() is the layout's.
Result<void> write_peft_folder(const Path& folder, const ModelConfig& config,
                               const PeftAdapter& adapter);

}  // namespace freshet
