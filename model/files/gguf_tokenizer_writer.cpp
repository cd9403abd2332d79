// The tokenizer of a GGUF file, from any that has one of the forms that such a file can name.

#include <algorithm>
#include <cmath>

#include "model/files/gguf_tokenizer.h"
#include "model/tokenizer/forms.h"

namespace freshet {
namespace {

struct Form {
  std::string_view name, pre;  // pre: "" for SentencePiece
};
constexpr Form kForms[] = {{"gpt-2", "gpt-2"},       {"smollm", "smollm"}, {"qwen2", "qwen2"},
                           {"llama-3", "llama-bpe"}, {"gpt-neox", "olmo"}, {"llama", ""},
                           {"llama-bare", ""}};

// What set_form() sets, as text that can be compared.
std::string form_text(const TokenizerFile& file) {
  TokenizerFile only;
  only.normalizer = file.normalizer;
  only.pre_tokenizer = file.pre_tokenizer;
  only.decoder = file.decoder;
  only.byte_fallback = file.byte_fallback;
  if (!file.pre_tokenizer.empty()) only.ignore_merges = file.ignore_merges;
  return write_tokenizer_file(only);
}

Result<Form> form_of(TokenizerFile file) {
  for (PreTokenizerStep& step : file.pre_tokenizer) step.prefix_space = false;
  const std::string wanted = form_text(file);
  for (const Form& form : kForms) {
    TokenizerFile other;
    TRY(set_form(form.name, other));
    if (form_text(other) == wanted) return form;
  }
  return fail(Code::kBadInput,
              "the tokenizer splits text in a way that a GGUF file has no name for");
}

struct TokenTable {
  std::vector<std::string> texts;
  std::vector<std::int32_t> kinds;
};

bool is_byte(std::string_view token) {
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with(">");
}

// Ids without a token, up to the rows of the model's embedding, are there for llama.cpp's count.
TokenTable tokens_of(const TokenizerFile& file, int rows) {
  TokenTable tokens;
  tokens.kinds.assign(static_cast<std::size_t>(rows), gguf_token::kUnused);
  for (int id = 0; id < rows; ++id) tokens.texts.push_back("[PAD" + std::to_string(id) + "]");
  for (const auto& [text, id] : file.vocabulary) {
    const auto place = static_cast<std::size_t>(id);
    tokens.texts[place] = text;
    tokens.kinds[place] =
        file.byte_fallback && is_byte(text) ? gguf_token::kByte : gguf_token::kNormal;
  }
  for (const AddedToken& added : file.added) {
    const auto place = static_cast<std::size_t>(added.id);
    tokens.texts[place] = added.text;
    tokens.kinds[place] = added.special ? gguf_token::kControl : gguf_token::kUserDefined;
  }
  if (file.unknown >= 0)
    tokens.kinds[static_cast<std::size_t>(file.unknown)] = gguf_token::kUnknown;
  return tokens;
}

void put_byte_level(const TokenizerFile& file, const TokenTable& tokens, std::string_view pre,
                    GgufWriter& writer) {
  std::vector<std::string> merges;
  for (const MergeRule& rule : file.merges)
    merges.push_back(tokens.texts[static_cast<std::size_t>(rule.left)] + " " +
                     tokens.texts[static_cast<std::size_t>(rule.right)]);
  const bool space = std::any_of(file.pre_tokenizer.begin(), file.pre_tokenizer.end(),
                                 [](const PreTokenizerStep& step) { return step.prefix_space; });
  writer.put_text("tokenizer.ggml.model", "gpt2");
  writer.put_text("tokenizer.ggml.pre", pre);
  writer.put_texts("tokenizer.ggml.merges", merges);
  writer.put_flag("tokenizer.ggml.add_space_prefix", space);
}

// The earlier a rule, the higher the score of what it makes; what none makes comes last.
Result<void> put_sentencepiece(const TokenizerFile& file, const TokenTable& tokens, bool space,
                               GgufWriter& writer) {
  if (file.merges.size() > std::size_t{1} << 24)  // F32 tells no more apart
    return fail(Code::kBadInput, "the tokenizer has more merges than a GGUF file can order");
  const float last = -static_cast<float>(file.merges.size()) - 1;
  std::vector<float> scores(tokens.texts.size(), last);
  for (std::size_t rank = file.merges.size(); rank-- > 0;)
    scores[static_cast<std::size_t>(file.merges[rank].product)] = -static_cast<float>(rank);
  writer.put_text("tokenizer.ggml.model", "llama");
  writer.put_f32s("tokenizer.ggml.scores", scores);
  writer.put_flag("tokenizer.ggml.add_space_prefix", space);
  return {};
}

}  // namespace

Result<void> put_gguf_tokenizer(const Tokenizer& tokenizer, int rows, GgufWriter& writer) {
  const TokenizerFile& file = tokenizer.file();
  if (tokenizer.vocab_size() > rows)
    return fail(Code::kBadInput, "the tokenizer has more tokens than the model has embeddings");
  TRY_ASSIGN(const Form form, form_of(file));
  const TokenTable tokens = tokens_of(file, rows);
  const auto is_one = [](const std::vector<TokenId>& ids, TokenId id) {
    return ids.empty() || (ids.size() == 1 && ids.front() == id);
  };
  if (!is_one(file.before, tokenizer.bos_id()) || !is_one(file.after, tokenizer.eos_id()))
    return fail(Code::kBadInput,
                "the tokenizer puts other tokens than bos and eos around a text, which a GGUF file "
                "cannot say");
  if (form.pre.empty())
    TRY(put_sentencepiece(file, tokens, form.name == "llama", writer));
  else
    put_byte_level(file, tokens, form.pre, writer);
  writer.put_texts("tokenizer.ggml.tokens", tokens.texts);
  writer.put_i32s("tokenizer.ggml.token_type", tokens.kinds);
  const auto put_id = [&](const char* key, TokenId id) {
    if (id >= 0) writer.put_u32(key, static_cast<std::uint32_t>(id));
  };
  put_id("tokenizer.ggml.bos_token_id", tokenizer.bos_id());
  put_id("tokenizer.ggml.eos_token_id", tokenizer.eos_id());
  put_id("tokenizer.ggml.unknown_token_id", file.unknown);
  writer.put_flag("tokenizer.ggml.add_bos_token", !file.before.empty());
  writer.put_flag("tokenizer.ggml.add_eos_token", !file.after.empty());
  return {};
}

}  // namespace freshet
