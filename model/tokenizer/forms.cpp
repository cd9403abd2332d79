#include "model/tokenizer/forms.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/check.h"
#include "base/limits.h"
#include "model/tokenizer/utf8.h"
#include "model/tokenizer/word_scanner.h"

namespace freshet {
namespace {

PreTokenizerStep byte_level(bool use_regex) {
  PreTokenizerStep step;
  step.kind = PreTokenizerStep::Kind::kByteLevel;
  step.use_regex = use_regex;
  return step;
}

PreTokenizerStep isolated(KnownPattern pattern) {
  PreTokenizerStep step;
  step.kind = PreTokenizerStep::Kind::kSplit;
  step.pattern = expression_of(pattern);
  return step;
}

PreTokenizerStep single_digits() {
  PreTokenizerStep step;
  step.kind = PreTokenizerStep::Kind::kDigits;
  step.individual_digits = true;
  return step;
}

void set_sentence_piece(bool space_before, TokenizerFile& file) {
  NormalizerStep replace{NormalizerStep::Kind::kReplace, " ", std::string(kWordMark)};
  NormalizerStep prepend{NormalizerStep::Kind::kPrepend, "", std::string(kWordMark)};
  if (space_before) file.normalizer.push_back(prepend);
  file.normalizer.push_back(replace);
  file.decoder = {{DecoderStep::Kind::kReplace, std::string(kWordMark), " "},
                  {DecoderStep::Kind::kByteFallback, "", ""},
                  {DecoderStep::Kind::kFuse, "", ""}};
  if (space_before) file.decoder.push_back({DecoderStep::Kind::kStrip, " ", ""});
  file.byte_fallback = file.fuse_unknown = true;
}

}  // namespace

Result<void> set_form(std::string_view name, TokenizerFile& file) {
  file.normalizer.clear();
  file.pre_tokenizer.clear();
  file.decoder = {{DecoderStep::Kind::kByteLevel, "", ""}};
  file.ignore_merges = false;
  if (name == "llama" || name == "llama-bare") {
    set_sentence_piece(name == "llama", file);
  } else if (name == "gpt-2" || name == "gpt-neox") {
    if (name == "gpt-neox") file.normalizer.push_back({NormalizerStep::Kind::kNfc, "", ""});
    file.pre_tokenizer = {byte_level(true)};
  } else if (name == "smollm") {
    file.pre_tokenizer = {single_digits(), byte_level(true)};
  } else if (name == "llama-3") {
    file.pre_tokenizer = {isolated(KnownPattern::kLlama3), byte_level(false)};
    file.ignore_merges = true;
  } else if (name == "qwen2") {
    file.normalizer.push_back({NormalizerStep::Kind::kNfc, "", ""});
    file.pre_tokenizer = {isolated(KnownPattern::kQwen2), byte_level(false)};
  } else {
    return fail(Code::kBadInput, "no tokenizer form is named \"" + std::string(name) + "\"");
  }
  return {};
}

std::vector<MergeRule> merges_from_scores(std::span<const std::string> tokens,
                                          std::span<const float> scores,
                                          const std::vector<bool>& plain) {
  CHECK(tokens.size() == scores.size() && tokens.size() == plain.size(), "{} {} {}", tokens.size(),
        scores.size(), plain.size());
  std::unordered_map<std::string_view, TokenId> ids;
  for (std::size_t id = 0; id < tokens.size(); ++id)
    if (plain[id]) ids.emplace(tokens[id], static_cast<TokenId>(id));
  std::vector<MergeRule> merges;
  for (const auto& [token, product] : ids) {
    if (token.size() > limits::kScoredTokenBytesMax) continue;
    for (std::size_t at = utf8_character_bytes(token); at > 0 && at < token.size();) {
      const auto left = ids.find(token.substr(0, at)), right = ids.find(token.substr(at));
      if (left != ids.end() && right != ids.end())
        merges.push_back({left->second, right->second, product});
      const std::size_t bytes = utf8_character_bytes(token.substr(at));
      if (bytes == 0) break;  // no part of well-formed text
      at += bytes;
    }
  }
  const auto score = [&](TokenId id) {
    const float value = scores[static_cast<std::size_t>(id)];
    return std::isnan(value) ? -INFINITY : value;
  };
  std::sort(merges.begin(), merges.end(), [&](const MergeRule& a, const MergeRule& b) {
    if (score(a.product) != score(b.product)) return score(a.product) > score(b.product);
    return std::tie(a.product, a.left, a.right) < std::tie(b.product, b.left, b.right);
  });
  return merges;
}

}  // namespace freshet
