#include "model/tokenizer/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/check.h"
#include "base/limits.h"
#include "model/tokenizer/utf8.h"

namespace freshet {

struct Pattern::Code {
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;
  ~Code() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

Pattern::Pattern(std::unique_ptr<Code> code) : code_(std::move(code)) {}
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

Result<Pattern> Pattern::build(std::string_view source, std::uint32_t options,
                               std::string_view shown) {
  const auto refuse = [&](const std::string& why) {
    return fail(freshet::Code::kBadInput,
                "the pattern " + std::string(shown.substr(0, 200)) + " " + why);
  };
  if (source.size() > limits::kPatternBytesMax) return refuse("is too long");
  if (!is_utf8(source)) return refuse("is not UTF-8");
  const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), &pcre2_compile_context_free);
  CHECK(context != nullptr);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), limits::kJsonDepthMax);
  auto built = std::make_unique<Code>();
  int error = 0;
  PCRE2_SIZE where = 0;
  built->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.data()), source.size(),
                              options | PCRE2_UTF, &error, &where, context.get());
  if (built->code == nullptr) {
    PCRE2_UCHAR text[200] = {};
    pcre2_get_error_message(error, text, sizeof text);
    return refuse("cannot be used: " + std::string(reinterpret_cast<const char*>(text)));
  }
  // Where code may not be generated, matching interprets.
  pcre2_jit_compile(built->code, PCRE2_JIT_COMPLETE);
  built->context = pcre2_match_context_create(nullptr);
  CHECK(built->context != nullptr);
  pcre2_set_match_limit(built->context, limits::kPatternStepsMax);
  pcre2_set_heap_limit(built->context, limits::kPatternHeapKiBMax);
  return Pattern(std::move(built));
}

Result<Pattern> Pattern::compile(std::string_view expression) {
  TRY_ASSIGN(const std::string source, pcre_of_oniguruma(expression));
  return build(source, PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, expression);
}

Result<Pattern> Pattern::literal(std::string_view text) {
  CHECK(!text.empty());
  return build(text, PCRE2_LITERAL, text);
}

void Pattern::each(std::string_view text,
                   const std::function<void(std::size_t, std::size_t)>& found) const {
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
      pcre2_match_data_create_from_pattern(code_->code, nullptr), &pcre2_match_data_free);
  CHECK(match != nullptr);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  const auto search = [&](std::size_t from, std::uint32_t options) {
    return pcre2_match(code_->code, subject, text.size(), from, PCRE2_NO_UTF_CHECK | options,
                       match.get(), code_->context);
  };
  std::size_t last_end = text.size() + 1;  // of the last match; none yet
  for (std::size_t from = 0; from <= text.size();) {
    int result = search(from, 0);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = search(from, PCRE2_NO_JIT);
    if (result <= 0) return;
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
    const std::size_t begin = bounds[0], end = bounds[1];
    if (begin == end && begin == last_end) {
      const std::size_t next = utf8_character_bytes(text.substr(from));
      from += next > 0 ? next : 1;
      continue;
    }
    found(begin, end);
    from = last_end = end;
  }
}

std::string Pattern::replace(std::string_view text, std::string_view by) const {
  std::string result;
  while (!text.empty()) {
    const Utf8Run run = next_utf8_run(text);
    text.remove_prefix(run.text.size());
    std::size_t from = 0;
    if (run.well_formed)
      each(run.text, [&](std::size_t begin, std::size_t end) {
        result += run.text.substr(from, begin - from);
        result += by;
        from = end;
      });
    result += run.text.substr(from);
  }
  return result;
}

}  // namespace freshet
