// Normalizer, pre-tokenizer, post-processor and decoder of a tokenizer.json.

#include <algorithm>

#include "base/limits.h"
#include "model/tokenizer/tokenizer_json.h"

namespace freshet::tokenizer_json {
namespace {

// A pattern {"String": "..."} or {"Regex": "..."}.
struct NamedPattern {
  std::string text;
  bool regex;
};

Result<NamedPattern> read_pattern(const SortedJson& part, const SortedJson& whole,
                                  std::string_view what, std::string_view source) {
  if (part.is_object() && part.contains("String"))
    return NamedPattern{part["String"].get<std::string>(), false};
  if (part.is_object() && part.contains("Regex"))
    return NamedPattern{part["Regex"].get<std::string>(), true};
  return unsupported(source, what, whole);
}

Result<PreTokenizerStep> read_split(const SortedJson& part, std::string_view source) {
  PreTokenizerStep step;
  step.kind = PreTokenizerStep::Kind::kSplit;
  TRY_ASSIGN(NamedPattern pattern, read_pattern(part.at("pattern"), part, "pre_tokenizer", source));
  step.pattern = std::move(pattern.text);
  step.regex = pattern.regex;
  step.invert = part.value("invert", false);
  const std::string behavior = part.at("behavior").get<std::string>();
  for (const auto& [value, name] : kBehaviors) {
    if (behavior != name) continue;
    step.behavior = value;
    return step;
  }
  return unsupported(source, "pre_tokenizer", part);
}

Result<PreTokenizerStep> read_metaspace(const SortedJson& part, std::string_view source) {
  PreTokenizerStep step;
  step.kind = PreTokenizerStep::Kind::kMetaspace;
  step.replacement = part.at("replacement").get<std::string>();
  step.split = part.value("split", true);
  if (!part.contains("prepend_scheme")) {  // before it was a scheme
    step.prepend =
        part.value("add_prefix_space", true) ? PrependScheme::kAlways : PrependScheme::kNever;
    return step;
  }
  const std::string scheme = part["prepend_scheme"].get<std::string>();
  for (const auto& [value, name] : kPrepends) {
    if (scheme != name) continue;
    step.prepend = value;
    return step;
  }
  return unsupported(source, "pre_tokenizer", part);
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

// RobertaProcessing, BertProcessing: ["<s>", 0] and ["</s>", 2] around the text.
Result<void> read_pair_processing(const SortedJson& part, std::string_view source,
                                  TokenizerFile& file) {
  TRY_ASSIGN(const TokenId before, id_of(part.at("cls").at(1), source));
  TRY_ASSIGN(const TokenId after, id_of(part.at("sep").at(1), source));
  file.before.push_back(before);
  file.after.push_back(after);
  return {};
}

bool frames_text(const std::string& type) {
  return type == "TemplateProcessing" || type == "RobertaProcessing" || type == "BertProcessing";
}

Result<DecoderStep> read_decoder_step(const SortedJson& part, std::string_view source) {
  const std::string type = type_of(part);
  if (type == "ByteLevel") return DecoderStep{DecoderStep::Kind::kByteLevel, "", ""};
  if (type == "ByteFallback") return DecoderStep{DecoderStep::Kind::kByteFallback, "", ""};
  if (type == "Fuse") return DecoderStep{DecoderStep::Kind::kFuse, "", ""};
  if (type == "Replace") {
    TRY_ASSIGN(NamedPattern pattern, read_pattern(part.at("pattern"), part, "decoder", source));
    if (pattern.regex) return unsupported(source, "decoder", part);
    return DecoderStep{DecoderStep::Kind::kReplace, std::move(pattern.text),
                       part.at("content").get<std::string>()};
  }
  if (type == "Strip" && part.value("start", 0) <= 1 && part.value("start", 0) >= 0 &&
      part.value("stop", 0) == 0)
    return DecoderStep{DecoderStep::Kind::kStrip,
                       part.value("start", 0) == 1 ? part.at("content").get<std::string>() : "",
                       ""};
  if (type == "Metaspace") {
    TRY_ASSIGN(const PreTokenizerStep same, read_metaspace(part, source));
    return DecoderStep{DecoderStep::Kind::kMetaspace, same.replacement,
                       same.prepend == PrependScheme::kNever ? "" : " "};
  }
  return unsupported(source, "decoder", part);
}

}  // namespace

Result<void> read_normalizer(const SortedJson& part, std::string_view source, TokenizerFile& file) {
  using Kind = NormalizerStep::Kind;
  static const std::pair<const char*, Kind> kPlain[] = {{"NFC", Kind::kNfc},
                                                        {"NFD", Kind::kNfd},
                                                        {"NFKC", Kind::kNfkc},
                                                        {"NFKD", Kind::kNfkd},
                                                        {"Lowercase", Kind::kLowercase}};
  const std::string type = type_of(part);
  if (part.is_null()) return {};
  if (type == "Sequence") {
    for (const SortedJson& inner : part.at("normalizers")) {
      if (inner.is_null()) return unsupported(source, "normalizer", part);
      TRY(read_normalizer(inner, source, file));
    }
    return {};
  }
  NormalizerStep step;
  const auto plain = std::find_if(std::begin(kPlain), std::end(kPlain),
                                  [&](const auto& entry) { return type == entry.first; });
  if (plain != std::end(kPlain)) {
    step.kind = plain->second;
  } else if (type == "Prepend") {
    step.kind = Kind::kPrepend;
    step.to = part.at("prepend").get<std::string>();
  } else if (type == "Replace") {
    step.kind = Kind::kReplace;
    TRY_ASSIGN(NamedPattern pattern, read_pattern(part.at("pattern"), part, "normalizer", source));
    step.from = std::move(pattern.text);
    step.regex = pattern.regex;
    step.to = part.at("content").get<std::string>();
  } else if (type == "Strip") {
    step.kind = Kind::kStrip;
    step.left = part.value("strip_left", true);
    step.right = part.value("strip_right", true);
  } else {
    return unsupported(source, "normalizer", part);
  }
  file.normalizer.push_back(std::move(step));
  return {};
}

Result<void> read_pre_tokenizer(const SortedJson& part, std::string_view source,
                                TokenizerFile& file) {
  const std::string type = type_of(part);
  PreTokenizerStep step;
  if (part.is_null()) return {};
  if (type == "Sequence") {
    for (const SortedJson& inner : part.at("pretokenizers")) {
      if (inner.is_null()) return unsupported(source, "pre_tokenizer", part);
      TRY(read_pre_tokenizer(inner, source, file));
    }
    return {};
  }
  if (type == "ByteLevel") {
    step.kind = PreTokenizerStep::Kind::kByteLevel;
    step.prefix_space = part.value("add_prefix_space", true);
    step.use_regex = part.value("use_regex", true);
  } else if (type == "Split") {
    TRY_ASSIGN(step, read_split(part, source));
  } else if (type == "Digits") {
    step.kind = PreTokenizerStep::Kind::kDigits;
    step.individual_digits = part.value("individual_digits", false);
  } else if (type == "Metaspace") {
    TRY_ASSIGN(step, read_metaspace(part, source));
  } else {
    return unsupported(source, "pre_tokenizer", part);
  }
  file.pre_tokenizer.push_back(std::move(step));
  return {};
}

// ByteLevel only moves offsets, which Freshet does not keep.
Result<void> read_post_processor(const SortedJson& part, std::string_view source,
                                 TokenizerFile& file) {
  const std::string type = type_of(part);
  if (part.is_null() || type == "ByteLevel") return {};
  if (type == "TemplateProcessing") return read_template(part, source, file);
  if (frames_text(type)) return read_pair_processing(part, source, file);
  if (type != "Sequence") return unsupported(source, "post_processor", part);
  int frames = 0;
  for (const SortedJson& inner : part.at("processors")) {
    const std::string inner_type = type_of(inner);
    if (inner_type != "ByteLevel" && (!frames_text(inner_type) || ++frames > 1))
      return unsupported(source, "post_processor", part);
    TRY(read_post_processor(inner, source, file));
  }
  return {};
}

Result<void> read_decoder(const SortedJson& part, std::string_view source, TokenizerFile& file) {
  if (part.is_null()) return {};
  if (type_of(part) != "Sequence") {
    TRY_ASSIGN(DecoderStep step, read_decoder_step(part, source));
    file.decoder.push_back(std::move(step));
    return {};
  }
  for (const SortedJson& inner : part.at("decoders")) {
    TRY_ASSIGN(DecoderStep step, read_decoder_step(inner, source));
    file.decoder.push_back(std::move(step));
  }
  return {};
}

}  // namespace freshet::tokenizer_json
