#include "model/tokenizer/tokenizer_file.h"

#include <algorithm>
#include <optional>

#include "base/json.h"
#include "base/limits.h"

namespace freshet {
namespace {

using SortedJson =
    nlohmann::json;  // a vocabulary has tens of thousands of keys: lookup must not be linear

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

Result<void> read_normalizer(const SortedJson& part, std::string_view source, TokenizerFile& file) {
  const std::string type = type_of(part);
  if (part.is_null()) return {};
  if (type == "Sequence") {
    for (const SortedJson& inner : part.at("normalizers")) {
      if (type_of(inner) == "Sequence") return unsupported(source, "normalizer", part);
      TRY(read_normalizer(inner, source, file));
    }
    return {};
  }
  NormalizerStep step{NormalizerStep::Kind::kNfc, "", ""};
  if (type == "Prepend") {
    step.kind = NormalizerStep::Kind::kPrepend;
    step.to = part.at("prepend").get<std::string>();
  } else if (type == "Replace" && part.at("pattern").contains("String")) {
    step.kind = NormalizerStep::Kind::kReplace;
    step.from = part.at("pattern").at("String").get<std::string>();
    step.to = part.at("content").get<std::string>();
    if (step.from.empty()) return unsupported(source, "normalizer", part);
  } else if (type != "NFC") {
    return unsupported(source, "normalizer", part);
  }
  file.normalizer.push_back(std::move(step));
  return {};
}

Result<void> read_pre_tokenizer(const SortedJson& part, std::string_view source,
                                TokenizerFile& file) {
  if (part.is_null()) return {};
  if (type_of(part) != "ByteLevel" || !part.value("use_regex", true))
    return unsupported(source, "pre_tokenizer", part);
  file.byte_level = true;
  file.prefix_space = part.value("add_prefix_space", true);
  return {};
}

Result<void> read_template(const SortedJson& part, std::string_view source, TokenizerFile& file) {
  bool text_seen = false;
  for (const SortedJson& item : part.at("single")) {
    if (item.contains("Sequence")) {
      if (text_seen || item["Sequence"].value("id", "") != "A")
        return unsupported(source, "post_processor", part);
      text_seen = true;
      continue;
    }
    const std::string name = item.at("SpecialToken").at("id").get<std::string>();
    for (const SortedJson& id : part.at("special_tokens").at(name).at("ids")) {
      TRY_ASSIGN(const TokenId value, id_of(id, source));
      (text_seen ? file.after : file.before).push_back(value);
    }
  }
  if (!text_seen) return unsupported(source, "post_processor", part);
  return {};
}

Result<void> read_post_processor(const SortedJson& part, std::string_view source,
                                 TokenizerFile& file) {
  const std::string type = type_of(part);
  if (part.is_null() || type == "ByteLevel")
    return {};  // ByteLevel only moves offsets, which Freshet does not keep
  if (type == "TemplateProcessing") return read_template(part, source, file);
  if (type != "Sequence") return unsupported(source, "post_processor", part);
  int templates = 0;
  for (const SortedJson& inner : part.at("processors")) {
    if (type_of(inner) != "ByteLevel" &&
        (type_of(inner) != "TemplateProcessing" || ++templates > 1))
      return unsupported(source, "post_processor", part);
    TRY(read_post_processor(inner, source, file));
  }
  return {};
}

// Accepts Replace, ByteFallback, Fuse and Strip in this order, each at most once.
Result<void> read_decoder(const SortedJson& part, std::string_view source, TokenizerFile& file) {
  const std::string type = type_of(part);
  if (file.byte_level || type == "ByteLevel") {
    if (file.byte_level && type == "ByteLevel") return {};
    return unsupported(source, "decoder (beside this pre_tokenizer)", part);
  }
  if (part.is_null()) return {};
  if (type != "Sequence") return unsupported(source, "decoder", part);
  static constexpr std::string_view kOrder[] = {"Replace", "ByteFallback", "Fuse", "Strip"};
  std::size_t place = 0;
  for (const SortedJson& inner : part.at("decoders")) {
    const std::string inner_type = type_of(inner);
    const auto found = std::find(std::begin(kOrder) + place, std::end(kOrder), inner_type);
    if (found == std::end(kOrder)) return unsupported(source, "decoder", part);
    place = static_cast<std::size_t>(found - std::begin(kOrder)) + 1;
    if (inner_type == "Replace") {
      file.decode_from = inner.at("pattern").at("String").get<std::string>();
      file.decode_to = inner.at("content").get<std::string>();
    } else if (inner_type == "Strip") {
      if (inner.value("start", 0) > 1 || inner.value("stop", 0) != 0)
        return unsupported(source, "decoder", part);
      if (inner.value("start", 0) == 1) file.strip = inner.at("content").get<std::string>();
    }
  }
  return {};
}

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
  std::vector<bool> taken(limits::kVocabularyMax);
  for (const auto& [token, value] : model["vocab"].items()) {
    TRY_ASSIGN(const TokenId id, id_of(value, source));
    if (taken[static_cast<std::size_t>(id)])
      return fail(Code::kBadInput,
                  std::string(source) + ": two tokens have id " + std::to_string(id));
    taken[static_cast<std::size_t>(id)] = true;
    file.vocabulary.emplace(token, id);
  }
  if (file.vocabulary.empty())
    return fail(Code::kBadInput, std::string(source) + ": the vocabulary is empty");
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
  std::unordered_map<TokenId, const std::string*> by_id;
  for (const auto& [token, id] : file.vocabulary) by_id.emplace(id, &token);
  for (const SortedJson& item : list) {
    AddedToken token;
    token.text = item.at("content").get<std::string>();
    TRY_ASSIGN(token.id, id_of(item.at("id"), source));
    token.special = item.value("special", false);
    token.normalized = item.value("normalized", !token.special);
    for (const char* option : {"single_word", "lstrip", "rstrip"})
      if (item.value(option, false))
        return unsupported(source, std::string("added token with ") + option, item);
    if (token.text.empty()) return unsupported(source, "added token without content", item);
    const auto named = file.vocabulary.find(token.text);
    const auto taken = by_id.find(token.id);
    if ((named != file.vocabulary.end() && named->second != token.id) ||
        (taken != by_id.end() && *taken->second != token.text))
      return fail(Code::kBadInput, std::string(source) + ": added token \"" + token.text +
                                       "\" has id " + std::to_string(token.id) +
                                       ", which the vocabulary contradicts");
    file.added.push_back(std::move(token));
  }
  return {};
}

}  // namespace

Result<TokenizerFile> parse_tokenizer_file(std::string_view text, std::string_view source) {
  if (text.size() > limits::kSmallFileBytesMax)
    return fail(Code::kBadInput, std::string(source) + ": larger than the " +
                                     std::to_string(limits::kSmallFileBytesMax) + " bytes allowed");
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
    return file;
  } catch (const SortedJson::exception& error) {
    return fail(Code::kBadInput, std::string(source) +
                                     ": not a tokenizer.json that Freshet can read (" +
                                     error.what() + ")");
  }
}

}  // namespace freshet
