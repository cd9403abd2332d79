#include "cli/model/loaded.h"

#include "cli/model/data_flag.h"
#include "model/files/model_parts.h"
#include "trainer/threads.h"

namespace freshet {
Result<VerbModel> load_for_verb(const std::string& folder, const std::string& precision,
                                int threads) {
  warm_up(threads);
  TRY_ASSIGN(const ModelFiles files, open_model_folder(folder));
  TRY_ASSIGN(const ModelConfig config, read_config(files));
  TRY_ASSIGN(Tokenizer tokenizer, read_tokenizer(files));
  TRY(check_tokenizer_matches(config, tokenizer));
  TRY_ASSIGN(Weights opened, Weights::open(files));
  TRY(check_weights(config, opened, files.weights.front().name));
  const auto weights = std::make_shared<const Weights>(std::move(opened));
  TRY_ASSIGN(Transformer model,
             load_transformer(config, weights,
                              precision_named(precision).value_or(own_precision(*weights))));
  TRY_ASSIGN(const std::optional<std::string> chat_text, read_chat_template(files));
  Result<ChatTemplate> chat = chat_of_model(chat_text, tokenizer, files.weights.front().name);
  return VerbModel{std::move(tokenizer), std::move(model), std::move(chat)};
}

}  // namespace freshet
