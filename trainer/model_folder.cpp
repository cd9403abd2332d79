#include "trainer/model_folder.h"

#include "model/files/model_parts.h"

namespace freshet {

Result<LoadedModel> load_model(const ModelFiles& files, std::optional<Precision> precision) {
  TRY_ASSIGN(ModelParts parts, read_model(files));
  auto weights = std::make_shared<const Weights>(std::move(parts.weights));
  TRY_ASSIGN(Transformer model,
             load_transformer(parts.config, weights, precision.value_or(own_precision(*weights))));
  Result<ChatTemplate> chat =
      chat_of_model(parts.chat_template, parts.tokenizer, files.weights.front().name);
  return LoadedModel{std::move(parts.tokenizer), std::move(model), parts.digest, std::move(chat)};
}

}  // namespace freshet
