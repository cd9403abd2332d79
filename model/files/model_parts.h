#pragma once
// A whole model as its files tell it, checked part against part; nothing is computed yet.

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "model/files/model_files.h"
#include "model/files/weights.h"
#include "model/model_config.h"
#include "model/tokenizer/tokenizer.h"

namespace freshet {

struct ModelParts {
  ModelConfig config;  // eos_ids also those of generation_config.json
  Tokenizer tokenizer;
  Weights weights;  // every tensor of weight_shapes() that is not optional, and no other
  std::optional<std::string> chat_template;
  Digest digest;  // model_digest()
};

// From descriptors alone: opens no path. kBadInput where a file is damaged or the files are not of
// one model.
Result<ModelParts> read_model(const ModelFiles& files);

// The parts on their own, of either form.
Result<ModelConfig> read_config(const ModelFiles& files);
Result<Tokenizer> read_tokenizer(const ModelFiles& files);
Result<std::optional<std::string>> read_chat_template(const ModelFiles& files);

// kBadInput for a tensor that is missing, has another shape, or has no place in the model: what it
// would do is not implemented. `source` names the model in errors.
Result<void> check_weights(const ModelConfig& config, const Weights& weights,
                           std::string_view source);

}  // namespace freshet
