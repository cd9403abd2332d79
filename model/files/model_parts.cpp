#include "model/files/model_parts.h"

#include <algorithm>
#include <set>

#include "base/json.h"
#include "model/files/gguf_model.h"
#include "model/files/gguf_tokenizer.h"
#include "model/modules.h"
#include "model/tokenizer/tokenizer_config.h"

namespace freshet {
namespace {

// Calls `read` with the GGUF file, which lives no longer than the call.
template <class Read>
auto with_gguf(const ModelFiles& files, Read read)
    -> decltype(read(std::declval<const GgufFile&>())) {
  if (files.weights.size() != 1)
    return fail(Code::kBadInput, "a model without config.json that is not one GGUF file");
  const OpenFile& file = files.weights.front();
  TRY_ASSIGN(const MappedFile mapped, MappedFile::of(file.fd, file.name));
  TRY_ASSIGN(const GgufFile gguf, read_gguf(mapped.view(), file.name));
  return read(gguf);
}

// Chat models often end an answer with another token than config.json says.
Result<void> add_eos_ids(const OpenFile& file, ModelConfig& config) {
  TRY_ASSIGN(const std::string text, read_small_file(file));
  TRY_ASSIGN(const Json json, parse_json(text, file.name));
  const auto found = json.find("eos_token_id");
  if (!json.is_object() || found == json.end() || found->is_null()) return {};
  const auto add = [&](const Json& id) {
    if (!json_holds<int>(id) || id.get<int>() < 0 || id.get<int>() >= config.vocab_size) return;
    const int value = id.get<int>();
    if (std::find(config.eos_ids.begin(), config.eos_ids.end(), value) == config.eos_ids.end())
      config.eos_ids.push_back(value);
  };
  if (!found->is_array()) {
    add(*found);
    return {};
  }
  for (const Json& id : *found) add(id);
  return {};
}

Result<std::optional<TokenizerConfig>> tokenizer_config_of(const ModelFiles& files) {
  if (!files.tokenizer_config.fd) return std::nullopt;
  TRY_ASSIGN(const std::string text, read_small_file(files.tokenizer_config));
  TRY_ASSIGN(TokenizerConfig config, parse_tokenizer_config(text, files.tokenizer_config.name));
  return config;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::int64_t length : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(length);
  return text + "]";
}

}  // namespace

Result<ModelConfig> read_config(const ModelFiles& files) {
  if (files.is_gguf()) return with_gguf(files, gguf_config);
  TRY_ASSIGN(const std::string text, read_small_file(files.config));
  TRY_ASSIGN(ModelConfig config, parse_model_config(text, files.config.name));
  if (files.generation_config.fd) TRY(add_eos_ids(files.generation_config, config));
  return config;
}

Result<Tokenizer> read_tokenizer(const ModelFiles& files) {
  if (files.is_gguf()) return with_gguf(files, gguf_tokenizer);
  TRY_ASSIGN(const std::string text, read_small_file(files.tokenizer));
  TRY_ASSIGN(Tokenizer tokenizer, Tokenizer::parse(text, files.tokenizer.name));
  TRY_ASSIGN(const auto config, tokenizer_config_of(files));
  if (config) TRY(tokenizer.apply(*config, files.tokenizer_config.name));
  return tokenizer;
}

Result<std::optional<std::string>> read_chat_template(const ModelFiles& files) {
  if (files.is_gguf()) return with_gguf(files, gguf_chat_template);
  if (files.chat_template.fd) {
    TRY_ASSIGN(std::string text, read_small_file(files.chat_template));
    return std::optional<std::string>(std::move(text));
  }
  TRY_ASSIGN(const auto config, tokenizer_config_of(files));
  if (!config) return std::nullopt;
  return config->chat_template;
}

Result<void> check_weights(const ModelConfig& config, const Weights& weights,
                           std::string_view source) {
  const auto refuse = [&](const std::string& name, const std::string& what) {
    return fail(Code::kBadInput, std::string(source) + ": tensor \"" + name + "\" " + what);
  };
  std::set<std::string, std::less<>> known;
  for (const WeightShape& wanted : weight_shapes(config)) {
    known.insert(wanted.name);
    const WeightView* found = weights.find(wanted.name);
    if (found == nullptr) {
      if (wanted.optional) continue;
      return refuse(wanted.name, "is missing; is the download complete?");
    }
    if (found->shape != wanted.shape)
      return refuse(wanted.name, "has the shape " + shape_text(found->shape) +
                                     " where the configuration says " + shape_text(wanted.shape) +
                                     "; they are not of one model");
  }
  for (const WeightView& tensor : weights.all())
    if (!known.contains(tensor.name))
      return refuse(tensor.name.substr(0, 100), "has no place in this " +
                                                    std::string(name_of(config.architecture)) +
                                                    "; what it does is not implemented");
  return {};
}

Result<ModelParts> read_model(const ModelFiles& files) {
  TRY_ASSIGN(ModelConfig config, read_config(files));
  TRY_ASSIGN(Tokenizer tokenizer, read_tokenizer(files));
  TRY(check_tokenizer_matches(config, tokenizer));
  TRY_ASSIGN(Weights weights, Weights::open(files));
  TRY(check_weights(config, weights, files.weights.front().name));
  TRY_ASSIGN(auto chat_template, read_chat_template(files));
  TRY_ASSIGN(const Digest digest, model_digest(files));
  return ModelParts{std::move(config), std::move(tokenizer), std::move(weights),
                    std::move(chat_template), digest};
}

}  // namespace freshet
