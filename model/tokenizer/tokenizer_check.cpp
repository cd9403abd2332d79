// What a TokenizerFile must keep, wherever it came from.

#include <algorithm>

#include "base/limits.h"
#include "model/tokenizer/tokenizer_json.h"
#include "model/tokenizer/utf8.h"

namespace freshet {
namespace {

tl::unexpected<Error> bad(std::string_view source, const std::string& what) {
  return fail(Code::kBadInput, std::string(source) + ": " + what);
}

std::vector<const std::string*> tokens_by_id(const TokenizerFile& file) {
  TokenId highest = -1;
  for (const auto& [token, id] : file.vocabulary) highest = std::max(highest, id);
  std::vector<const std::string*> tokens(static_cast<std::size_t>(highest) + 1);
  for (const auto& [token, id] : file.vocabulary) tokens[static_cast<std::size_t>(id)] = &token;
  return tokens;
}

using Tokens = std::vector<const std::string*>;

const std::string* token_of(const Tokens& tokens, TokenId id) {
  return id >= 0 && static_cast<std::size_t>(id) < tokens.size()
             ? tokens[static_cast<std::size_t>(id)]
             : nullptr;
}

Result<void> check_merges(const TokenizerFile& file, const Tokens& tokens,
                          std::string_view source) {
  std::string joined;
  for (const MergeRule& rule : file.merges) {
    const std::string *left = token_of(tokens, rule.left), *right = token_of(tokens, rule.right),
                      *product = token_of(tokens, rule.product);
    if (left == nullptr || right == nullptr || product == nullptr)
      return bad(source, "a merge names an id that the vocabulary does not have");
    joined = *left;
    joined += *right;
    if (joined != *product)
      return bad(source, "a merge makes \"" + *product + "\" of \"" + *left + "\" and \"" + *right +
                             "\"; the file is damaged");
  }
  return {};
}

Result<void> check_added(const TokenizerFile& file, const Tokens& tokens, std::string_view source) {
  // Real files give every id to one token; a gap far beyond their number only asks for memory.
  const std::size_t ids_max =
      4 * (file.vocabulary.size() + file.added.size()) + (std::size_t{1} << 16);
  if (tokens.size() > ids_max)
    return bad(source, "the highest token id is " + std::to_string(tokens.size() - 1) +
                           ", far beyond the number of tokens; the file is damaged");
  std::unordered_map<TokenId, const std::string*> by_id;
  for (const AddedToken& token : file.added) {
    if (token.text.empty())
      return bad(source, "added token without content, with id " + std::to_string(token.id));
    if (token.id < 0 || token.id >= limits::kVocabularyMax ||
        static_cast<std::size_t>(token.id) > ids_max)
      return bad(source, "added token id " + std::to_string(token.id) + " is out of range");
    const auto named = file.vocabulary.find(token.text);
    const std::string* taken = token_of(tokens, token.id);
    const auto [before, first] = by_id.emplace(token.id, &token.text);
    if ((named != file.vocabulary.end() && named->second != token.id) ||
        (taken != nullptr && *taken != token.text) || (!first && *before->second != token.text))
      return bad(source, "added token \"" + token.text + "\" has id " + std::to_string(token.id) +
                             ", which the vocabulary contradicts");
  }
  for (const std::vector<TokenId>* ids : {&file.before, &file.after})
    for (TokenId id : *ids)
      if (token_of(tokens, id) == nullptr && !by_id.contains(id))
        return bad(source, "the post_processor puts id " + std::to_string(id) +
                               " around a text, which the vocabulary does not have");
  if (file.unknown >= 0 && token_of(tokens, file.unknown) == nullptr)
    return bad(source, "the unknown token is not in the vocabulary");
  return {};
}

Result<void> check_normalizer(const TokenizerFile& file, std::string_view source) {
  if (file.normalizer.size() > limits::kTokenizerStepsMax)
    return bad(source,
               "more than " + std::to_string(limits::kTokenizerStepsMax) + " normalizer steps");
  double growth = 1;
  for (const NormalizerStep& step : file.normalizer) {
    using Kind = NormalizerStep::Kind;
    if (step.kind == Kind::kReplace && step.from.empty())
      return bad(source, "normalizer Replace of nothing is not supported");
    const double from = step.regex ? 1 : static_cast<double>(step.from.size());
    if (step.kind == Kind::kReplace)
      growth *= std::max(1.0, static_cast<double>(step.to.size()) / from + (step.regex ? 1 : 0));
    if (step.kind == Kind::kPrepend && step.to.size() > 64)
      return bad(source, "normalizer Prepend of more than 64 bytes is not supported");
  }
  if (growth > limits::kTokenizerGrowthMax)
    return bad(source, "the normalizer may make a text more than " +
                           std::to_string(static_cast<int>(limits::kTokenizerGrowthMax)) +
                           " times as long");
  return {};
}

Result<void> check_pre_tokenizer(const TokenizerFile& file, std::string_view source) {
  if (file.pre_tokenizer.size() > limits::kTokenizerStepsMax)
    return bad(source,
               "more than " + std::to_string(limits::kTokenizerStepsMax) + " pre_tokenizer steps");
  int metaspaces = 0;
  for (const PreTokenizerStep& step : file.pre_tokenizer) {
    using Kind = PreTokenizerStep::Kind;
    if (step.kind == Kind::kByteLevel && &step != &file.pre_tokenizer.back())
      return bad(source, "a pre_tokenizer step after ByteLevel is not supported");
    if (step.kind != Kind::kMetaspace) continue;
    const std::size_t bytes = utf8_character_bytes(step.replacement);
    if (bytes == 0 || bytes != step.replacement.size())
      return bad(source, "the replacement of pre_tokenizer Metaspace is not one character");
    if (++metaspaces > 1) return bad(source, "two pre_tokenizer steps Metaspace");
  }
  return {};
}

Result<void> check_decoder(const TokenizerFile& file, std::string_view source) {
  using Kind = DecoderStep::Kind;
  if (file.decoder.size() > limits::kTokenizerStepsMax)
    return bad(source,
               "more than " + std::to_string(limits::kTokenizerStepsMax) + " decoder steps");
  const bool alone = file.decoder.size() == 1;
  const bool bytes = alone && file.decoder[0].kind == Kind::kByteLevel;
  if (bytes != file.byte_level())
    return bad(source, bytes ? "decoder ByteLevel without pre_tokenizer ByteLevel"
                             : "pre_tokenizer ByteLevel with another decoder than ByteLevel");
  for (std::size_t i = 0; i < file.decoder.size(); ++i) {
    const Kind kind = file.decoder[i].kind;
    const bool first = i == 0;
    const bool rises = first || kind > file.decoder[i - 1].kind ||
                       (kind == Kind::kReplace && file.decoder[i - 1].kind == kind);
    if (!rises || (!alone && (kind == Kind::kByteLevel || kind == Kind::kMetaspace)))
      return bad(source, "a decoder with its steps in this order is not supported");
    if (kind == Kind::kReplace && file.decoder[i].to.size() > file.decoder[i].from.size())
      return bad(source, "decoder Replace by a longer text is not supported");
  }
  return {};
}

}  // namespace

namespace tokenizer_json {

Result<void> check_vocabulary(const TokenizerFile& file, std::string_view source) {
  if (file.vocabulary.empty()) return bad(source, "the vocabulary is empty");
  std::vector<bool> taken(limits::kVocabularyMax);
  for (const auto& [token, id] : file.vocabulary) {
    if (id < 0 || id >= limits::kVocabularyMax)
      return bad(source, "token id " + std::to_string(id) + " is outside 0 to " +
                             std::to_string(limits::kVocabularyMax - 1));
    if (taken[static_cast<std::size_t>(id)])
      return bad(source, "two tokens have id " + std::to_string(id));
    taken[static_cast<std::size_t>(id)] = true;
  }
  return {};
}

}  // namespace tokenizer_json

bool TokenizerFile::byte_level() const {
  return std::any_of(pre_tokenizer.begin(), pre_tokenizer.end(), [](const auto& step) {
    return step.kind == PreTokenizerStep::Kind::kByteLevel;
  });
}

Result<void> check_tokenizer_file(const TokenizerFile& file, std::string_view source) {
  TRY(tokenizer_json::check_vocabulary(file, source));
  const Tokens tokens = tokens_by_id(file);
  TRY(check_added(file, tokens, source));
  TRY(check_merges(file, tokens, source));
  TRY(check_normalizer(file, source));
  TRY(check_pre_tokenizer(file, source));
  return check_decoder(file, source);
}

}  // namespace freshet
