#include "trainer/model_folder.h"

#include "base/limits.h"
#include "model/files/model_parts.h"

namespace freshet {
namespace {

Result<std::string> text_of(const OpenFile& file) {
  TRY_ASSIGN(const MappedFile mapped, MappedFile::of(file.fd, file.name));
  if (mapped.view().size() > limits::kSmallFileBytesMax)
    return fail(Code::kBadInput, file.name + ": larger than any configuration or tokenizer");
  return std::string(as_text(mapped.view()));
}

}  // namespace

Result<LoadedModel> load_model(const ModelFiles& files) {
  TRY_ASSIGN(const std::string config_text, text_of(files.config));
  TRY_ASSIGN(const ModelConfig config, parse_model_config(config_text, files.config.name));
  TRY_ASSIGN(const std::string tokenizer_text, text_of(files.tokenizer));
  TRY_ASSIGN(Tokenizer tokenizer, Tokenizer::parse(tokenizer_text, files.tokenizer.name));
  TRY(check_tokenizer_matches(config, tokenizer));
  TRY_ASSIGN(const MappedFile weights, MappedFile::of(files.weights.front().fd, files.weights.front().name));
  TRY_ASSIGN(Llama llama, load_llama(config, weights.view(), files.weights.front().name));
  TRY_ASSIGN(const Digest digest, model_digest(files));
  TRY_ASSIGN(const std::optional<std::string> chat_text, read_chat_template(files));
  Result<ChatTemplate> chat = chat_of_model(chat_text, tokenizer, files.weights.front().name);
  std::uint64_t parameters = 0;
  for (const NamedWeight& weight : named_weights(llama)) parameters += static_cast<std::uint64_t>(weight.tensor->numel());
  return LoadedModel{std::move(tokenizer), std::move(llama), digest, parameters, std::move(chat)};
}

}  // namespace freshet
