// A TokenizerFile as tokenizer.json, in the order in which the tokenizers package writes it.

#include <algorithm>

#include "base/json.h"
#include "model/tokenizer/tokenizer_json.h"

namespace freshet {
namespace {

using tokenizer_json::kBehaviors;
using tokenizer_json::kPrepends;

Json pattern_json(const std::string& text, bool regex) {
  return {{regex ? "Regex" : "String", text}};
}

const char* scheme_name(PrependScheme scheme) {
  for (const auto& [value, name] : kPrepends)
    if (value == scheme) return name;
  return "";
}

// null, the one part, or a Sequence of them.
Json sequence(std::vector<Json> parts, const char* key) {
  if (parts.empty()) return nullptr;
  if (parts.size() == 1) return std::move(parts[0]);
  return {{"type", "Sequence"}, {key, std::move(parts)}};
}

Json normalizer_json(const NormalizerStep& step) {
  using Kind = NormalizerStep::Kind;
  switch (step.kind) {
    case Kind::kPrepend: return {{"type", "Prepend"}, {"prepend", step.to}};
    case Kind::kReplace:
      return {{"type", "Replace"},
              {"pattern", pattern_json(step.from, step.regex)},
              {"content", step.to}};
    case Kind::kNfc: return {{"type", "NFC"}};
    case Kind::kNfd: return {{"type", "NFD"}};
    case Kind::kNfkc: return {{"type", "NFKC"}};
    case Kind::kNfkd: return {{"type", "NFKD"}};
    case Kind::kLowercase: return {{"type", "Lowercase"}};
    case Kind::kStrip: break;
  }
  return {{"type", "Strip"}, {"strip_left", step.left}, {"strip_right", step.right}};
}

Json pre_tokenizer_json(const PreTokenizerStep& step) {
  using Kind = PreTokenizerStep::Kind;
  switch (step.kind) {
    case Kind::kByteLevel:
      return {{"type", "ByteLevel"},
              {"add_prefix_space", step.prefix_space},
              {"trim_offsets", true},
              {"use_regex", step.use_regex}};
    case Kind::kSplit: {
      const auto* name = std::find_if(std::begin(kBehaviors), std::end(kBehaviors),
                                      [&](const auto& b) { return b.behavior == step.behavior; });
      return {{"type", "Split"},
              {"pattern", pattern_json(step.pattern, step.regex)},
              {"behavior", name->name},
              {"invert", step.invert}};
    }
    case Kind::kDigits: return {{"type", "Digits"}, {"individual_digits", step.individual_digits}};
    case Kind::kMetaspace: break;
  }
  return {{"type", "Metaspace"},
          {"replacement", step.replacement},
          {"prepend_scheme", scheme_name(step.prepend)},
          {"split", step.split}};
}

Json decoder_json(const DecoderStep& step) {
  using Kind = DecoderStep::Kind;
  switch (step.kind) {
    case Kind::kByteLevel:
      return {{"type", "ByteLevel"},
              {"add_prefix_space", true},
              {"trim_offsets", true},
              {"use_regex", true}};
    case Kind::kReplace:
      return {
          {"type", "Replace"}, {"pattern", pattern_json(step.from, false)}, {"content", step.to}};
    case Kind::kByteFallback: return {{"type", "ByteFallback"}};
    case Kind::kFuse: return {{"type", "Fuse"}};
    case Kind::kStrip:
      return {{"type", "Strip"},
              {"content", step.from.empty() ? " " : step.from},
              {"start", step.from.empty() ? 0 : 1},
              {"stop", 0}};
    case Kind::kMetaspace: break;
  }
  return {{"type", "Metaspace"},
          {"replacement", step.from},
          {"prepend_scheme", step.to.empty() ? "never" : "always"},
          {"split", true}};
}

class Writer {
 public:
  explicit Writer(const TokenizerFile& file) : file_(file) {
    TokenId highest = -1;
    for (const auto& [token, id] : file.vocabulary) highest = std::max(highest, id);
    tokens_.resize(static_cast<std::size_t>(highest) + 1);
    for (const auto& [token, id] : file.vocabulary) tokens_[static_cast<std::size_t>(id)] = &token;
  }

  Json run() const {
    return {
        {"version", "1.0"},
        {"truncation", nullptr},
        {"padding", nullptr},
        {"added_tokens", added()},
        {"normalizer", sequence(each(file_.normalizer, normalizer_json), "normalizers")},
        {"pre_tokenizer", sequence(each(file_.pre_tokenizer, pre_tokenizer_json), "pretokenizers")},
        {"post_processor", post_processor()},
        {"decoder", sequence(each(file_.decoder, decoder_json), "decoders")},
        {"model", model()}};
  }

 private:
  template <class Step>
  static std::vector<Json> each(const std::vector<Step>& steps, Json (*write)(const Step&)) {
    std::vector<Json> parts;
    for (const Step& step : steps) parts.push_back(write(step));
    return parts;
  }

  std::string name_of(TokenId id) const {
    if (id >= 0 && static_cast<std::size_t>(id) < tokens_.size() &&
        tokens_[static_cast<std::size_t>(id)] != nullptr)
      return *tokens_[static_cast<std::size_t>(id)];
    for (const AddedToken& token : file_.added)
      if (token.id == id) return token.text;
    return "";
  }

  // By id, as the package numbers them in the order in which it reads them.
  Json added() const {
    std::vector<const AddedToken*> by_id;
    for (const AddedToken& token : file_.added) by_id.push_back(&token);
    std::stable_sort(by_id.begin(), by_id.end(),
                     [](const auto* a, const auto* b) { return a->id < b->id; });
    Json list = Json::array();
    for (const AddedToken* token : by_id)
      list.push_back({{"id", token->id},
                      {"content", token->text},
                      {"single_word", token->single_word},
                      {"lstrip", token->lstrip},
                      {"rstrip", token->rstrip},
                      {"normalized", token->normalized},
                      {"special", token->special}});
    return list;
  }

  Json post_processor() const {
    if (file_.before.empty() && file_.after.empty()) return nullptr;
    Json single = Json::array(), pair = Json::array(), names = Json::object();
    const auto put = [&](const std::vector<TokenId>& ids, Json& list, int type) {
      for (TokenId id : ids) {
        const std::string name = name_of(id);
        list.push_back({{"SpecialToken", {{"id", name}, {"type_id", type}}}});
        names[name] = {{"id", name}, {"ids", Json::array({id})}, {"tokens", Json::array({name})}};
      }
    };
    put(file_.before, single, 0);
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    put(file_.after, single, 0);
    pair = single;
    put(file_.before, pair, 1);
    pair.push_back({{"Sequence", {{"id", "B"}, {"type_id", 1}}}});
    put(file_.after, pair, 1);
    return {{"type", "TemplateProcessing"},
            {"single", single},
            {"pair", pair},
            {"special_tokens", names}};
  }

  Json model() const {
    Json merges = Json::array();
    for (const MergeRule& rule : file_.merges)
      merges.push_back(Json::array({name_of(rule.left), name_of(rule.right)}));
    Json::object_t vocabulary;  // filled from the end: no lookup of each key among the others
    for (std::size_t id = 0; id < tokens_.size(); ++id)
      if (tokens_[id] != nullptr)
        static_cast<std::vector<std::pair<const std::string, Json>>&>(vocabulary)
            .emplace_back(*tokens_[id], id);
    Json unknown = nullptr;
    if (file_.unknown >= 0) unknown = name_of(file_.unknown);
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", unknown},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", file_.fuse_unknown},
            {"byte_fallback", file_.byte_fallback},
            {"ignore_merges", file_.ignore_merges},
            {"vocab", std::move(vocabulary)},
            {"merges", std::move(merges)}};
  }

  const TokenizerFile& file_;
  std::vector<const std::string*> tokens_;  // by id
};

}  // namespace

std::string write_tokenizer_file(const TokenizerFile& file) { return to_text(Writer(file).run()); }

}  // namespace freshet
