#include "model/files/model_files.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "base/limits.h"
#include "crypto/digest.h"
#include "model/files/shard_index.h"
#include "model/model_config.h"
#include "model/tokenizer/tokenizer.h"

namespace freshet {
namespace {

constexpr std::string_view kHolds =
    "a model folder holds config.json, tokenizer.json and model.safetensors (or its shards with "
    "model.safetensors.index.json), as Hugging Face writes them, or one .gguf file";
constexpr const char* kIndex = "model.safetensors.index.json";

bool stands(const Path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

Result<OpenFile> open_one(const Path& folder, const std::string& name) {
  const Path path = folder / name;
  if (!stands(path))
    return fail(Code::kBadInput, folder.string() + ": no " + name + "; " + std::string(kHolds));
  OpenFile file;
  file.name = path.string();
  TRY_ASSIGN(file.fd, open_for_reading(path));
  return file;
}

Result<OpenFile> open_if_there(const Path& folder, const std::string& name) {
  if (!stands(folder / name)) return OpenFile{};
  return open_one(folder, name);
}

bool is_gguf_name(const Path& path) { return path.extension() == ".gguf"; }

Result<ModelFiles> open_gguf(const Path& path) {
  ModelFiles files;
  TRY_ASSIGN(OpenFile file, open_one(path.parent_path(), path.filename().string()));
  files.weights.push_back(std::move(file));
  return files;
}

// The one .gguf file of a folder that has no config.json; "" where there is none.
Result<Path> find_gguf(const Path& folder) {
  Path found;
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error), end;
  for (; !error && entries != end; entries.increment(error)) {
    if (!is_gguf_name(entries->path())) continue;
    if (!found.empty())
      return fail(Code::kBadInput, folder.string() + ": more than one .gguf file; name one (" +
                                       entries->path().string() + ")");
    found = entries->path();
  }
  return found;
}

Result<void> open_weights(const Path& folder, ModelFiles& files) {
  if (!stands(folder / "model.safetensors") && stands(folder / kIndex)) {
    TRY_ASSIGN(files.index, open_one(folder, kIndex));
    TRY_ASSIGN(const std::string text, read_small_file(files.index));
    TRY_ASSIGN(const ShardIndex index, parse_shard_index(text, files.index.name));
    for (const std::string& shard : index.shards) {
      TRY_ASSIGN(OpenFile file, open_one(folder, shard));
      files.weights.push_back(std::move(file));
    }
    return {};
  }
  TRY_ASSIGN(OpenFile file, open_one(folder, "model.safetensors"));
  files.weights.push_back(std::move(file));
  return {};
}

// Read, not mapped: a whole model in a second mapping would count twice in the memory of a process.
Result<void> add_bytes(const OpenFile& file, std::uint64_t size, Hasher& hasher) {
  Bytes piece(std::min<std::uint64_t>(size, limits::kMiB));
  for (std::uint64_t at = 0; at < size;) {
    const std::size_t wanted = std::min<std::uint64_t>(size - at, piece.size());
    const ssize_t got = ::pread(file.fd.get(), piece.data(), wanted, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(errno_error("cannot read", file.name));
    if (got == 0) return fail(Code::kBadInput, file.name + ": became shorter while it was read");
    hasher.update(ByteView(piece).first(static_cast<std::size_t>(got)));
    at += static_cast<std::uint64_t>(got);
  }
  return {};
}

}  // namespace

Result<ModelFiles> open_model_folder(const Path& folder) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(folder, ignored) && is_gguf_name(folder))
    return open_gguf(folder);
  if (!std::filesystem::is_directory(folder, ignored))
    return fail(Code::kBadInput, folder.string() + ": no such folder; " + std::string(kHolds));
  if (!stands(folder / "config.json")) {
    TRY_ASSIGN(const Path gguf, find_gguf(folder));
    if (!gguf.empty()) return open_gguf(gguf);
  }
  ModelFiles files;
  TRY_ASSIGN(files.config, open_one(folder, "config.json"));
  TRY_ASSIGN(files.tokenizer, open_one(folder, "tokenizer.json"));
  TRY(open_weights(folder, files));
  TRY_ASSIGN(files.tokenizer_config, open_if_there(folder, "tokenizer_config.json"));
  TRY_ASSIGN(files.generation_config, open_if_there(folder, "generation_config.json"));
  TRY_ASSIGN(files.chat_template, open_if_there(folder, "chat_template.jinja"));
  return files;
}

Result<Digest> model_digest(const ModelFiles& files) {
  Hasher hasher;
  hasher.update(as_bytes("freshet/model/v1"));
  const auto add = [&](const OpenFile& file) -> Result<void> {
    TRY_ASSIGN(const MappedFile mapped, MappedFile::of(file.fd, file.name));
    const std::array<std::uint64_t, 1> size = {mapped.view().size()};
    hasher.update(as_bytes(std::span<const std::uint64_t>(size)));
    return add_bytes(file, size[0], hasher);
  };
  if (!files.is_gguf()) {
    TRY(add(files.config));
    TRY(add(files.tokenizer));
  }
  for (const OpenFile& file : files.weights) TRY(add(file));
  return hasher.finish();
}

Result<Digest> tokenizer_digest(const ModelFiles& files) {
  if (!files.tokenizer.fd)
    return fail(Code::kBadInput,
                "a model in one GGUF file has no tokenizer.json, which is what models of one "
                "vocabulary are known by: use a folder in the form of Hugging Face");
  TRY_ASSIGN(const MappedFile mapped, MappedFile::of(files.tokenizer.fd, files.tokenizer.name));
  Hasher hasher;
  hasher.update(as_bytes("freshet/tokenizer/v1"));
  hasher.update(mapped.view());
  return hasher.finish();
}

Result<std::string> read_small_file(const OpenFile& file) {
  TRY_ASSIGN(const MappedFile mapped, MappedFile::of(file.fd, file.name));
  if (mapped.view().size() > limits::kSmallFileBytesMax)
    return fail(Code::kBadInput, file.name + ": larger than the " +
                                     std::to_string(limits::kSmallFileBytesMax) +
                                     " bytes that such a file may have");
  return std::string(as_text(mapped.view()));
}

Result<void> check_tokenizer_matches(const ModelConfig& config, const Tokenizer& tokenizer) {
  if (tokenizer.vocab_size() <= config.vocab_size) return {};
  return fail(Code::kBadInput,
              "the tokenizer has " + std::to_string(tokenizer.vocab_size()) +
                  " tokens and the model " + std::to_string(config.vocab_size) +
                  "; they do not belong together: take tokenizer.json from the model's own folder");
}

}  // namespace freshet
