#pragma once
// A whole model in memory: config, tokenizer and weights that were checked against each other.

#include <optional>

#include "model/files/model_files.h"
#include "model/text/chat_template.h"
#include "model/tokenizer/tokenizer.h"
#include "trainer/transformer/transformer.h"

namespace freshet {

struct LoadedModel {
  Tokenizer tokenizer;
  Transformer model;
  Digest digest;
  Result<ChatTemplate> chat;  // or why rows of "messages" have none
};

// From descriptors alone: opens no path. kBadInput where a file is damaged or the files are not of
// one model. Without a precision: own_precision() of its weights.
Result<LoadedModel> load_model(const ModelFiles& files, std::optional<Precision> precision);

}  // namespace freshet
