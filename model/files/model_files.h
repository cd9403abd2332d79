#pragma once
// The open descriptors of one model folder: the form in which a daemon hands a model to its trainer, which cannot open
// paths itself.

#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace freshet {

struct ModelConfig;
class Tokenizer;

struct OpenFile {
  std::string name;  // for errors and for the kind of the file (".txt", ".md", ".jsonl"); never opened
  UniqueFd fd;
};

struct ModelFiles {
  OpenFile config, tokenizer, weights;  // config.json, tokenizer.json, model.safetensors
};

// kBadInput, saying which file is missing and what a model folder holds.
Result<ModelFiles> open_model_folder(const Path& folder);

// BLAKE2b-256 of the three files, so that all sides can say that they mean the same model.
Result<Digest> model_digest(const ModelFiles& files);

// kBadInput if the tokenizer has ids that the model has no embedding for.
Result<void> check_tokenizer_matches(const ModelConfig& config, const Tokenizer& tokenizer);

}  // namespace freshet
