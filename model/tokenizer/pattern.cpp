#include "model/tokenizer/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <time.h>

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "model/tokenizer/utf8.h"

namespace freshet {

namespace {

using MatchData = std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>;
using Context = std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)>;

[[noreturn]] void give_up() {
  throw PatternRunsAway(
      "a pattern of the tokenizer takes too many steps on this text: leave the text out, or use "
      "another model");
}

std::int64_t processor_micros() {
  timespec time{};
  CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
  return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000;
}

// What a text may cost: steps, which are the same everywhere, and time of the processor, as a step
// may go over all of the text.
class Budget {
 public:
  explicit Budget(std::size_t bytes)
      : steps_(limits::kPatternStepsMin + bytes * limits::kPatternStepsPerByte),
        end_(processor_micros() + limits::kPatternMicrosMin +
             static_cast<std::int64_t>(bytes) * limits::kPatternMicrosPerByte) {}

  // Up to `wanted` steps, which are gone then.
  std::uint32_t take_steps(std::uint32_t wanted) {
    const auto taken = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, steps_));
    if (taken == 0) give_up();
    steps_ -= taken;
    return taken;
  }
  void check_time() const {
    if (processor_micros() > end_) give_up();
  }
  void check_time_now_and_then() {
    constexpr std::uint32_t kEvery = 16;  // asking takes longer than most matches
    if (++asked_ % kEvery == 0) check_time();
  }

 private:
  std::uint64_t steps_;
  std::int64_t end_;
  std::uint32_t asked_ = 0;
};

}  // namespace

struct Pattern::Code {
  pcre2_code* code = nullptr;
  bool anchored = false;  // matches where it is asked to alone
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
  built->anchored = (options & PCRE2_ANCHORED) != 0;
  // Where code may not be generated, matching interprets.
  pcre2_jit_compile(built->code, PCRE2_JIT_COMPLETE);
  built->context = pcre2_match_context_create(nullptr);
  CHECK(built->context != nullptr);
  pcre2_set_heap_limit(built->context, limits::kPatternHeapKiBMax);
  return Pattern(std::move(built));
}

Result<Pattern> Pattern::compile(std::string_view expression) {
  TRY_ASSIGN(const std::string source, pcre_of_oniguruma(expression));
  TRY_ASSIGN(Pattern pattern,
             build(source, PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED, expression));
  try {
    for (const char* probe : {"a", "A", "1", " ", "\n", ".", "a1", "a ", "aA1. \n", "\xC3\xA9"}) {
      std::string text;
      while (text.size() < 64) text += probe;
      pattern.each(text, [](std::size_t, std::size_t) {});
    }
  } catch (const PatternRunsAway&) {
    return fail(freshet::Code::kBadInput, "the pattern " + std::string(expression.substr(0, 200)) +
                                              " takes too many steps on a short text");
  }
  return pattern;
}

Result<Pattern> Pattern::literal(std::string_view text) {
  CHECK(!text.empty());
  return build(text, PCRE2_LITERAL, text);
}

// One search over one text. An expression is tried at one place after another, so that what it
// costs is known for each.
class Pattern::Search {
 public:
  Search(const Code& code, std::string_view text)
      : code_(code),
        text_(text),
        budget_(text.size()),
        match_(pcre2_match_data_create_from_pattern(code.code, nullptr), &pcre2_match_data_free),
        context_(pcre2_match_context_copy(code.context), &pcre2_match_context_free) {
    CHECK(match_ != nullptr && context_ != nullptr);
    set_steps(limits::kPatternStepsFree);
  }

  // The first match that begins at `from` or behind it.
  bool next(std::size_t from, std::size_t& begin, std::size_t& end) {
    while (!matches_at(from)) {
      if (!code_.anchored || from >= text_.size()) return false;
      from += std::max<std::size_t>(utf8_character_bytes(text_.substr(from)), 1);
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match_.get());
    begin = bounds[0];
    end = bounds[1];
    return true;
  }

 private:
  bool matches_at(std::size_t at) {
    budget_.check_time_now_and_then();
    int result = match(at);
    for (std::uint32_t steps = limits::kPatternStepsFree;
         result == PCRE2_ERROR_MATCHLIMIT && steps < limits::kPatternStepsMax;) {
      budget_.check_time();
      steps = budget_.take_steps(std::min(4 * steps, limits::kPatternStepsMax));
      set_steps(steps);
      result = match(at);
      set_steps(limits::kPatternStepsFree);
    }
    if (result < 0 && result != PCRE2_ERROR_NOMATCH) give_up();
    return result > 0;
  }

  int match(std::size_t at) {
    const auto run = [&](std::uint32_t options) {
      return pcre2_match(code_.code, reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(), at,
                         PCRE2_NO_UTF_CHECK | options, match_.get(), context_.get());
    };
    const int result = run(0);
    return result == PCRE2_ERROR_JIT_STACKLIMIT ? run(PCRE2_NO_JIT) : result;
  }

  void set_steps(std::uint32_t steps) { pcre2_set_match_limit(context_.get(), steps); }

  const Code& code_;
  std::string_view text_;
  Budget budget_;
  MatchData match_;
  Context context_;
};

void Pattern::each(std::string_view text,
                   const std::function<void(std::size_t, std::size_t)>& found) const {
  Search search(*code_, text);
  std::size_t last_end = text.size() + 1;  // of the last match; none yet
  for (std::size_t from = 0, begin = 0, end = 0;
       from <= text.size() && search.next(from, begin, end);) {
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
