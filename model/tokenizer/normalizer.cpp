#include "model/tokenizer/normalizer.h"

#include "model/tokenizer/utf8.h"

namespace freshet {
namespace {

std::string strip(std::string_view text, bool left, bool right) {
  std::size_t begin = 0, end = text.size();
  while (left && begin < end) {
    const std::size_t bytes = utf8_character_bytes(text.substr(begin));
    if (bytes == 0 || !is_space(utf8_code_point(text.substr(begin), bytes))) break;
    begin += bytes;
  }
  while (right) {
    const std::size_t bytes = utf8_last_character_bytes(text.substr(begin, end - begin));
    if (bytes == 0 || !is_space(utf8_code_point(text.substr(end - bytes), bytes))) break;
    end -= bytes;
  }
  return std::string(text.substr(begin, end - begin));
}

}  // namespace

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty() || text.find(from) == std::string::npos) return;
  std::string result;
  result.reserve(text.size());
  std::size_t at = 0;
  for (std::size_t found; (found = text.find(from, at)) != std::string::npos;
       at = found + from.size()) {
    result.append(text, at, found - at);
    result += to;
  }
  text = result.append(text, at);
}

Result<Normalizer> Normalizer::make(std::span<const NormalizerStep> steps) {
  Normalizer normalizer;
  for (const NormalizerStep& step : steps) {
    Step& last = normalizer.steps_.emplace_back(Step{step, std::nullopt});
    if (step.kind == NormalizerStep::Kind::kReplace && step.regex) {
      TRY_ASSIGN(last.pattern, Pattern::compile(step.from));
    }
  }
  return normalizer;
}

std::string Normalizer::run(std::string_view text) const {
  std::string result(text);
  for (const auto& [step, pattern] : steps_) {
    switch (step.kind) {
      case NormalizerStep::Kind::kPrepend:
        if (!result.empty()) result.insert(0, step.to);
        break;
      case NormalizerStep::Kind::kReplace:
        if (pattern)
          result = pattern->replace(result, step.to);
        else
          replace_all(result, step.from, step.to);
        break;
      case NormalizerStep::Kind::kNfc: result = to_normal_form(NormalForm::kC, result); break;
      case NormalizerStep::Kind::kNfd: result = to_normal_form(NormalForm::kD, result); break;
      case NormalizerStep::Kind::kNfkc: result = to_normal_form(NormalForm::kKc, result); break;
      case NormalizerStep::Kind::kNfkd: result = to_normal_form(NormalForm::kKd, result); break;
      case NormalizerStep::Kind::kLowercase: result = to_lower(result); break;
      case NormalizerStep::Kind::kStrip: result = strip(result, step.left, step.right); break;
    }
  }
  return result;
}

}  // namespace freshet
