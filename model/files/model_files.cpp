#include "model/files/model_files.h"

#include <array>
#include <filesystem>

#include "crypto/digest.h"
#include "model/model_config.h"
#include "model/tokenizer/tokenizer.h"

namespace freshet {
namespace {

constexpr std::string_view kHolds =
    "a model folder holds config.json, tokenizer.json and model.safetensors, as Hugging Face "
    "writes them";

bool stands(const Path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

Result<OpenFile> open_one(const Path& folder, const char* name) {
  const Path path = folder / name;
  if (!stands(path)) {
    if (stands(folder / (std::string(name) + ".index.json")))
      return fail(
          Code::kBadInput,
          folder.string() + ": the weights are sharded (" + name +
              ".index.json), which is not supported; save the model as one model.safetensors");
    return fail(Code::kBadInput, folder.string() + ": no " + name + "; " + std::string(kHolds));
  }
  OpenFile file;
  file.name = path.string();
  TRY_ASSIGN(file.fd, open_for_reading(path));
  return file;
}

}  // namespace

Result<ModelFiles> open_model_folder(const Path& folder) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored))
    return fail(Code::kBadInput, folder.string() + ": no such folder; " + std::string(kHolds));
  ModelFiles files;
  TRY_ASSIGN(files.config, open_one(folder, "config.json"));
  TRY_ASSIGN(files.tokenizer, open_one(folder, "tokenizer.json"));
  TRY_ASSIGN(files.weights, open_one(folder, "model.safetensors"));
  return files;
}

Result<Digest> model_digest(const ModelFiles& files) {
  Hasher hasher;
  hasher.update(as_bytes("freshet/model/v1"));
  for (const OpenFile* file : {&files.config, &files.tokenizer, &files.weights}) {
    TRY_ASSIGN(const MappedFile mapped, MappedFile::of(file->fd, file->name));
    const std::array<std::uint64_t, 1> size = {mapped.view().size()};
    hasher.update(as_bytes(std::span<const std::uint64_t>(size)));
    hasher.update(mapped.view());
  }
  return hasher.finish();
}

Result<void> check_tokenizer_matches(const ModelConfig& config, const Tokenizer& tokenizer) {
  if (tokenizer.vocab_size() <= config.vocab_size) return {};
  return fail(Code::kBadInput,
              "the tokenizer has " + std::to_string(tokenizer.vocab_size()) +
                  " tokens and the model " + std::to_string(config.vocab_size) +
                  "; they do not belong together: take tokenizer.json from the model's own folder");
}

}  // namespace freshet
