#pragma once
// adapter_config.json of Hugging Face PEFT. A variant of LoRA that Freshet does not implement is refused by the name of
// its option.

#include <string>
#include <string_view>

#include "base/json_fwd.h"
#include "base/result.h"
#include "model/adapter.h"

namespace freshet {

struct PeftConfig {
  AdapterSpec spec;
  std::string base_model;  // as the file names it; may be empty
};

// Targets come back in the order of linear_modules(), and empty where every linear module is adapted, so that one
// adapter has one spec. A regular expression for targets becomes the names that it matches.
Result<PeftConfig> parse_peft_config(std::string_view text, const ModelConfig& model,
                                     std::string_view source);

Json peft_config_json(const PeftConfig& config, const ModelConfig& model);

}  // namespace freshet
