#pragma once
// The open descriptors of one model: the form in which a daemon hands a model to its trainer, which
// cannot open paths itself.

#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace freshet {

struct ModelConfig;
class Tokenizer;

struct OpenFile {
  std::string
      name;  // for errors and for the kind of the file (".txt", ".md", ".jsonl"); never opened
  UniqueFd fd;
};

// A file that a model lacks has no descriptor.
struct ModelFiles {
  OpenFile config, tokenizer;     // config.json, tokenizer.json; a GGUF holds both itself
  std::vector<OpenFile> weights;  // model.safetensors, or its shards by name, or one GGUF
  OpenFile index;                 // model.safetensors.index.json, where there are shards
  OpenFile tokenizer_config, generation_config, chat_template;  // where they stand

  bool is_gguf() const { return !config.fd; }
};

// A folder in the form of Hugging Face, with one safetensors file or shards; or a .gguf file, or a
// folder with one of those and no config.json. kBadInput, saying what is missing and what a model
// folder holds.
Result<ModelFiles> open_model_folder(const Path& folder);

// BLAKE2b-256 of config, tokenizer and weights, so that all sides can say that they mean the same
// model.
Result<Digest> model_digest(const ModelFiles& files);

// Of tokenizer.json alone, for models that differ in all else. kBadInput where there is none.
Result<Digest> tokenizer_digest(const ModelFiles& files);

// The text of one of the small files.
Result<std::string> read_small_file(const OpenFile& file);

// kBadInput if the tokenizer has ids that the model has no embedding for.
Result<void> check_tokenizer_matches(const ModelConfig& config, const Tokenizer& tokenizer);

}  // namespace freshet
