#include "model/files/gguf_tokenizer.h"

#include <algorithm>

#include "base/limits.h"
#include "model/tokenizer/forms.h"
#include "model/tokenizer/tokenizer_config.h"

namespace freshet {
namespace {

struct Tokens {
  std::vector<std::string_view> texts;
  std::vector<std::int64_t> kinds;  // as many
};

Result<Tokens> read_tokens(const GgufFile& file) {
  Tokens tokens;
  TRY_ASSIGN(tokens.texts, file.texts("tokenizer.ggml.tokens"));
  if (tokens.texts.empty() ||
      tokens.texts.size() > static_cast<std::size_t>(limits::kVocabularyMax))
    return file.refuse("a vocabulary of " + std::to_string(tokens.texts.size()) + " tokens");
  tokens.kinds.assign(tokens.texts.size(), gguf_token::kNormal);
  if (!file.has("tokenizer.ggml.token_type")) return tokens;
  TRY_ASSIGN(tokens.kinds, file.integers("tokenizer.ggml.token_type"));
  if (tokens.kinds.size() != tokens.texts.size())
    return file.refuse("tokenizer.ggml.token_type and tokenizer.ggml.tokens differ in length");
  return tokens;
}

// The id that a key names; -1 where there is none.
Result<TokenId> special_id(const GgufFile& file, std::string_view name, const Tokens& tokens) {
  const std::string key = "tokenizer.ggml." + std::string(name) + "_token_id";
  if (!file.has(key)) return -1;
  TRY_ASSIGN(const std::int64_t id, file.integer(key));
  if (id < 0 || id >= static_cast<std::int64_t>(tokens.texts.size())) return -1;
  return static_cast<TokenId>(id);
}

Result<bool> flag_or(const GgufFile& file, std::string_view key, bool absent) {
  if (!file.has(key)) return absent;
  return file.flag(key);
}

Result<void> fill_vocabulary(const GgufFile& source, const Tokens& tokens, TokenizerFile& file) {
  for (std::size_t i = 0; i < tokens.texts.size(); ++i) {
    if (tokens.kinds[i] == gguf_token::kUnused) continue;
    const auto id = static_cast<TokenId>(i);
    std::string text(tokens.texts[i]);
    if (text.empty()) return source.refuse("token " + std::to_string(i) + " is empty");
    if (!file.vocabulary.emplace(text, id).second)
      return source.refuse("two tokens are \"" + text.substr(0, 100) + "\"");
    const auto kind = tokens.kinds[i];
    if (kind != gguf_token::kControl && kind != gguf_token::kUnknown &&
        kind != gguf_token::kUserDefined)
      continue;
    AddedToken added;
    added.text = std::move(text);
    added.id = id;
    added.special = kind != gguf_token::kUserDefined;
    file.added.push_back(std::move(added));
  }
  return {};
}

Result<void> fill_merges(const GgufFile& source, TokenizerFile& file) {
  TRY_ASSIGN(const auto merges, source.texts("tokenizer.ggml.merges"));
  const auto id_of = [&](std::string_view text) {
    const auto found = file.vocabulary.find(std::string(text));
    return found == file.vocabulary.end() ? -1 : found->second;
  };
  for (std::string_view merge : merges) {
    const std::size_t space = merge.find(' ', 1);  // a token may be a space alone
    if (space == std::string_view::npos || space + 1 == merge.size())
      return source.refuse("merge \"" + std::string(merge.substr(0, 100)) +
                           "\" is not two tokens with a space between");
    const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
    const MergeRule rule{id_of(left), id_of(right), id_of(std::string(left) + std::string(right))};
    if (rule.left < 0 || rule.right < 0 || rule.product < 0)
      return source.refuse("merge \"" + std::string(merge.substr(0, 100)) +
                           "\" needs a token that is not in the vocabulary");
    file.merges.push_back(rule);
  }
  return {};
}

// llama.cpp's name of a pre-tokenizer and ours.
struct PreTokenizerName {
  std::string_view gguf, form;
};
constexpr PreTokenizerName kPreTokenizers[] = {{"gpt-2", "gpt-2"},
                                               {"smollm", "smollm"},
                                               {"llama-bpe", "llama-3"},
                                               {"llama3", "llama-3"},
                                               {"llama-v3", "llama-3"},
                                               {"qwen2", "qwen2"},
                                               {"deepseek-r1-qwen", "qwen2"},
                                               {"olmo", "gpt-neox"}};

Result<std::string_view> form_of(const GgufFile& source) {
  TRY_ASSIGN(const std::string_view name, source.text("tokenizer.ggml.pre"));
  std::string known;
  for (const PreTokenizerName& each : kPreTokenizers) {
    if (each.gguf == name) return each.form;
    known += " " + std::string(each.gguf);
  }
  return source.refuse("tokenizer.ggml.pre \"" + std::string(name.substr(0, 64)) +
                       "\" is not supported; Freshet splits as" + known);
}

// Sets the form; true where its makers put BOS before a text unless told otherwise.
Result<bool> fill_byte_level(const GgufFile& source, TokenizerFile& file) {
  TRY_ASSIGN(const std::string_view form, form_of(source));
  TRY(set_form(form, file));
  TRY(fill_merges(source, file));
  TRY_ASSIGN(const bool space, flag_or(source, "tokenizer.ggml.add_space_prefix", false));
  if (space)
    for (PreTokenizerStep& step : file.pre_tokenizer)
      if (step.kind == PreTokenizerStep::Kind::kByteLevel) step.prefix_space = true;
  return form == "llama-3";
}

Result<bool> fill_sentencepiece(const GgufFile& source, const Tokens& tokens, TokenizerFile& file) {
  TRY_ASSIGN(const bool space, flag_or(source, "tokenizer.ggml.add_space_prefix", true));
  TRY(set_form(space ? "llama" : "llama-bare", file));
  TRY_ASSIGN(const std::vector<float> scores, source.numbers("tokenizer.ggml.scores"));
  if (scores.size() != tokens.texts.size())
    return source.refuse("tokenizer.ggml.scores and tokenizer.ggml.tokens differ in length");
  std::vector<std::string> texts(tokens.texts.begin(), tokens.texts.end());
  std::vector<bool> plain;
  for (std::int64_t kind : tokens.kinds) plain.push_back(kind == gguf_token::kNormal);
  file.merges = merges_from_scores(texts, scores, plain);
  return true;
}

}  // namespace

Result<TokenizerFile> gguf_tokenizer_file(const GgufFile& source) {
  TRY_ASSIGN(const std::string_view model, source.text("tokenizer.ggml.model"));
  TRY_ASSIGN(const Tokens tokens, read_tokens(source));
  TokenizerFile file;
  TRY(fill_vocabulary(source, tokens, file));
  bool bos_first = false;
  if (model == "gpt2") {
    TRY_ASSIGN(bos_first, fill_byte_level(source, file));
  } else if (model == "llama") {
    TRY_ASSIGN(bos_first, fill_sentencepiece(source, tokens, file));
    TRY_ASSIGN(file.unknown, special_id(source, "unknown", tokens));
  } else {
    return source.refuse("tokenizer.ggml.model \"" + std::string(model.substr(0, 64)) +
                         "\" is not supported; Freshet reads gpt2 (byte-level BPE) and llama "
                         "(SentencePiece BPE)");
  }
  TRY_ASSIGN(const TokenId bos, special_id(source, "bos", tokens));
  TRY_ASSIGN(const TokenId eos, special_id(source, "eos", tokens));
  TRY_ASSIGN(const bool add_bos, flag_or(source, "tokenizer.ggml.add_bos_token", bos_first));
  TRY_ASSIGN(const bool add_eos, flag_or(source, "tokenizer.ggml.add_eos_token", false));
  if (add_bos && bos >= 0) file.before.push_back(bos);
  if (add_eos && eos >= 0) file.after.push_back(eos);
  return file;
}

Result<Tokenizer> gguf_tokenizer(const GgufFile& source) {
  TRY_ASSIGN(TokenizerFile file, gguf_tokenizer_file(source));
  TRY_ASSIGN(Tokenizer tokenizer, Tokenizer::make(std::move(file), source.source));
  TRY_ASSIGN(const Tokens tokens, read_tokens(source));
  TRY_ASSIGN(const TokenId bos, special_id(source, "bos", tokens));
  TRY_ASSIGN(const TokenId eos, special_id(source, "eos", tokens));
  TokenizerConfig config;
  const auto text_of = [&](TokenId id) {
    return std::string(tokens.texts[static_cast<std::size_t>(id)]);
  };
  if (bos >= 0) config.bos_token = text_of(bos);
  if (eos >= 0) config.eos_token = text_of(eos);
  TRY(tokenizer.apply(config, source.source));
  return tokenizer;
}

Result<std::optional<std::string>> gguf_chat_template(const GgufFile& file) {
  if (!file.has("tokenizer.chat_template")) return std::nullopt;
  TRY_ASSIGN(const std::string_view text, file.text("tokenizer.chat_template"));
  return std::string(text);
}

}  // namespace freshet
