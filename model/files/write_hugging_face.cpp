#include "model/files/write_hugging_face.h"

#include <algorithm>

#include "base/check.h"
#include "base/json.h"
#include "base/limits.h"
#include "model/files/model_parts.h"
#include "model/files/output_folder.h"
#include "model/files/safetensors_writer.h"
#include "model/modules.h"
#include "model/tokenizer/tokenizer_file.h"

namespace freshet {
namespace {

// What may stand beside config.json and says nothing about the weights.
constexpr const char* kBeside[] = {
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
};

Dtype dtype_of(WeightType type) {
  CHECK(is_plain(type), "{}", block_of(type).name);
  if (type == WeightType::kF32) return Dtype::kF32;
  return type == WeightType::kF16 ? Dtype::kF16 : Dtype::kBF16;
}

WeightType type_of(Dtype dtype) {
  if (dtype == Dtype::kF32) return WeightType::kF32;
  return dtype == Dtype::kF16 ? WeightType::kF16 : WeightType::kBF16;
}

const char* torch_name(WeightType type) {
  if (type == WeightType::kF32) return "float32";
  return type == WeightType::kF16 ? "float16" : "bfloat16";
}

// A GGUF keeps its norms in F32 whatever the rest is: there all tensors get one type.
std::optional<WeightType> type_of_all(const ModelFiles& files, const ModelConfig& config,
                                      const Weights& weights, const WritePlan& plan) {
  if (plan.type || !files.is_gguf()) return plan.type;
  const std::string first =
      layer_prefix(config, 0) + std::string(linear_modules(config).front().path) + ".weight";
  const WeightView* weight = weights.find(first);
  CHECK(weight != nullptr, "{}", first);
  return is_plain(weight->type) ? weight->type : WeightType::kF16;
}

class FolderWriter {
 public:
  FolderWriter(const Path& source, const ModelFiles& files, const WritePlan& plan,
               const OnProgress& on_progress)
      : source_(source), files_(files), plan_(plan), on_progress_(on_progress) {}

  Result<Written> write() {
    TRY_ASSIGN(config_, read_config(files_));
    TRY_ASSIGN(weights_, Weights::open(files_));
    TRY(check_weights(config_, weights_, files_.weights.front().name));
    type_ = type_of_all(files_, config_, weights_, plan_);
    TRY_ASSIGN(OutputFolder folder, OutputFolder::begin(plan_.out, plan_.replace));
    TRY(files_.is_gguf() ? write_sides_of_gguf(folder.path()) : copy_sides(folder.path()));
    TRY(write_weights(folder.path() / "model.safetensors"));
    TRY(folder.finish());
    return written_;
  }

 private:
  Result<void> put(const Path& path, std::string_view text) const {
    return write_file_durably(path, as_bytes(text));
  }

  Result<void> copy_sides(const Path& folder) const {
    for (const char* name : kBeside) {
      std::error_code ignored;
      if (!std::filesystem::exists(source_ / name, ignored)) continue;
      TRY_ASSIGN(const std::string text, read_file(source_ / name, limits::kSmallFileBytesMax));
      TRY(put(folder / name, text));
    }
    TRY_ASSIGN(std::string text, read_small_file(files_.config));
    if (type_) {
      TRY_ASSIGN(Json json, parse_json(text, files_.config.name));
      json[json.contains("dtype") ? "dtype" : "torch_dtype"] = torch_name(*type_);
      text = to_text(json, 2) + "\n";
    }
    return put(folder / "config.json", text);
  }

  Result<void> write_sides_of_gguf(const Path& folder) const {
    TRY_ASSIGN(const Tokenizer tokenizer, read_tokenizer(files_));
    TRY(check_tokenizer_matches(config_, tokenizer));
    TRY_ASSIGN(const std::optional<std::string> chat, read_chat_template(files_));
    Json config = to_json(config_);
    TRY_ASSIGN(const ModelConfig said, parse_model_config(to_text(config), "config.json"));
    if (said != config_)
      return fail(Code::kBadInput,
                  files_.weights.front().name + ": a model with options that no config.json of a " +
                      std::string(name_of(config_.architecture)) + " has a place for");
    config["torch_dtype"] = torch_name(*type_);
    TRY(put(folder / "config.json", to_text(config, 2) + "\n"));
    TRY(put(folder / "tokenizer.json", write_tokenizer_file(tokenizer.file())));
    Json tokens = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                   {"model_max_length", config_.max_positions}};
    if (config_.bos_id >= 0) tokens["bos_token"] = std::string(tokenizer.text_of(config_.bos_id));
    if (!config_.eos_ids.empty())
      tokens["eos_token"] = std::string(tokenizer.text_of(config_.eos_ids.front()));
    TRY(put(folder / "tokenizer_config.json", to_text(tokens, 2) + "\n"));
    if (chat) TRY(put(folder / "chat_template.jinja", *chat));
    return {};
  }

  std::vector<TensorHead> heads() const {
    std::vector<TensorHead> heads;
    for (const WeightShape& shape : weight_shapes(config_)) {
      if (shape.optional) continue;
      const WeightType own = weights_.find(shape.name)->type;
      heads.push_back({shape.name, dtype_of(type_.value_or(own)), shape.shape});
    }
    SafetensorsWriter::sort(heads);
    return heads;
  }

  Result<void> write_weights(const Path& path) {
    const std::vector<TensorHead> heads = this->heads();
    std::uint64_t total = 0;
    for (const TensorHead& head : heads) total += head.bytes();
    SafetensorsWriter writer;
    TRY(writer.start(path, heads));
    for (const TensorHead& head : heads) TRY(write_tensor(head, total, writer));
    return writer.finish();
  }

  Result<void> write_tensor(const TensorHead& head, std::uint64_t total,
                            SafetensorsWriter& writer) {
    const WeightView& weight = *weights_.find(head.name);
    ++written_.tensors;
    written_.parameters += static_cast<std::uint64_t>(weight.elements());
    if (plan_.fold != nullptr && plan_.fold->adapts(head.name)) ++written_.adapted;
    return for_each_piece(weight, plan_.fold, false, [&](const WeightPiece& piece) -> Result<void> {
      TRY_ASSIGN(const Bytes bytes, to_weight_bytes(piece.values, type_of(head.dtype), head.name));
      TRY(writer.write(bytes));
      written_.bytes += bytes.size();
      return on_progress_(written_.bytes, total);
    });
  }

  const Path& source_;
  const ModelFiles& files_;
  const WritePlan& plan_;
  const OnProgress& on_progress_;
  ModelConfig config_;
  Weights weights_;
  std::optional<WeightType> type_;
  Written written_;
};

}  // namespace

Result<Written> write_hugging_face(const Path& source, const ModelFiles& files,
                                   const WritePlan& plan, const OnProgress& on_progress) {
  return FolderWriter(source, files, plan, on_progress).write();
}

}  // namespace freshet
