#include "model/tokenizer/tokenizer_file.h"

#include <algorithm>

#include "base/json.h"
#include "base/limits.h"
#include "model/tokenizer/tokenizer_json.h"

namespace freshet {
namespace tokenizer_json {

tl::unexpected<Error> unsupported(std::string_view source, std::string_view part,
                                  const SortedJson& value) {
  std::string text = value.dump(-1, ' ', false, SortedJson::error_handler_t::replace);
  if (text.size() > 200) text = text.substr(0, 200) + "...";
  return fail(Code::kBadInput, std::string(source) + ": " + std::string(part) + " " + text +
                                   " is not supported; Freshet reads byte-level BPE (GPT-2) and "
                                   "BPE with byte fallback (Llama 2)");
}

// The type of a part, "" for null or absent.
std::string type_of(const SortedJson& part) {
  return part.is_object() ? part.value("type", "") : "";
}

const SortedJson& part_of(const SortedJson& json, const char* key) {
  static const SortedJson kNull;
  const auto found = json.find(key);
  return found == json.end() ? kNull : *found;
}

Result<TokenId> id_of(const SortedJson& value, std::string_view source) {
  if (!value.is_number_integer() || value < 0 || value >= limits::kVocabularyMax)
    return fail(Code::kBadInput, std::string(source) + ": token id " + value.dump() +
                                     " is outside 0 to " +
                                     std::to_string(limits::kVocabularyMax - 1));
  return value.get<TokenId>();
}

}  // namespace tokenizer_json

namespace {

using namespace tokenizer_json;

Result<MergeRule> read_merge(const SortedJson& merge, std::string_view source,
                             const TokenizerFile& file) {
  std::string left, right;
  if (merge.is_array() && merge.size() == 2) {
    left = merge[0].get<std::string>();
    right = merge[1].get<std::string>();
  } else {
    const std::string text = merge.get<std::string>();
    const std::size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
      return fail(Code::kBadInput, std::string(source) + ": merge \"" + text +
                                       "\" is not two tokens with a space between");
    left = text.substr(0, space);
    right = text.substr(space + 1);
  }
  std::string joined = left;
  joined += right;
  const auto a = file.vocabulary.find(left), b = file.vocabulary.find(right),
             product = file.vocabulary.find(joined);
  for (const auto& [found, token] : {std::pair{a, &left}, {b, &right}, {product, &joined}})
    if (found == file.vocabulary.end())
      return fail(Code::kBadInput,
                  std::string(source) + ": a merge needs token \"" + *token +
                      "\", which is not in the vocabulary; the file is damaged or cut");
  return MergeRule{a->second, b->second, product->second};
}

Result<void> read_model(const SortedJson& model, std::string_view source, TokenizerFile& file) {
  if (!model.is_object() || model.value("type", "BPE") != "BPE")
    return unsupported(source, "model",
                       model.is_object() ? model.value("type", SortedJson()) : model);
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    const SortedJson& option = part_of(model, key);
    if (!option.is_null() && option != "" && option != 0)
      return unsupported(source, std::string("model.") + key, option);
  }
  const auto flag = [&](const char* key) {
    return part_of(model, key).is_boolean() && model[key].get<bool>();
  };
  file.fuse_unknown = flag("fuse_unk");
  file.byte_fallback = flag("byte_fallback");
  file.ignore_merges = flag("ignore_merges");

  if (!model.at("vocab").is_object())
    return unsupported(source, "model.vocab of type", model.at("vocab").type_name());
  for (const auto& [token, value] : model["vocab"].items()) {
    TRY_ASSIGN(const TokenId id, id_of(value, source));
    file.vocabulary.emplace(token, id);
  }
  TRY(check_vocabulary(file, source));
  const SortedJson& unknown = part_of(model, "unk_token");
  if (!unknown.is_null()) {
    const auto found = file.vocabulary.find(unknown.get<std::string>());
    if (found != file.vocabulary.end()) file.unknown = found->second;
  }
  for (const SortedJson& merge : model.at("merges")) {
    TRY_ASSIGN(const MergeRule rule, read_merge(merge, source, file));
    file.merges.push_back(rule);
  }
  return {};
}

Result<void> read_added(const SortedJson& list, std::string_view source, TokenizerFile& file) {
  if (list.is_null()) return {};
  for (const SortedJson& item : list) {
    AddedToken token;
    token.text = item.at("content").get<std::string>();
    TRY_ASSIGN(token.id, id_of(item.at("id"), source));
    token.special = item.value("special", false);
    token.normalized = item.value("normalized", !token.special);
    token.single_word = item.value("single_word", false);
    token.lstrip = item.value("lstrip", false);
    token.rstrip = item.value("rstrip", false);
    file.added.push_back(std::move(token));
  }
  return {};
}

}  // namespace

Result<TokenizerFile> parse_tokenizer_file(std::string_view text, std::string_view source) {
  if (text.size() > limits::kSmallFileBytesMax)
    return fail(Code::kBadInput, std::string(source) + ": larger than the " +
                                     std::to_string(limits::kSmallFileBytesMax) + " bytes allowed");
  TRY(check_json_depth(text, source));
  try {
    const SortedJson json = SortedJson::parse(text);
    if (!json.is_object() || !json.contains("model"))
      return fail(Code::kBadInput,
                  std::string(source) + ": no \"model\"; this is not a tokenizer.json");
    TokenizerFile file;
    TRY(read_model(json["model"], source, file));
    TRY(read_added(part_of(json, "added_tokens"), source, file));
    TRY(read_normalizer(part_of(json, "normalizer"), source, file));
    TRY(read_pre_tokenizer(part_of(json, "pre_tokenizer"), source, file));
    TRY(read_post_processor(part_of(json, "post_processor"), source, file));
    TRY(read_decoder(part_of(json, "decoder"), source, file));
    TRY(check_tokenizer_file(file, source));
    return file;
  } catch (const SortedJson::parse_error& error) {
    return fail(Code::kBadInput,
                std::string(source) + ": not valid JSON (" + json_fault(error, text.size()) + ")");
  } catch (const SortedJson::exception& error) {
    return fail(Code::kBadInput, std::string(source) +
                                     ": not a tokenizer.json that Freshet can read (" +
                                     error.what() + ")");
  }
}

}  // namespace freshet
