#include "model/module_patterns.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/check.h"
#include "base/limits.h"

namespace freshet {
namespace {

// Far above what the name of a module takes, far below what a hostile pattern could.
constexpr std::uint32_t kStepsMax = 2000, kDepthMax = 200, kHeapKiBMax = 256;

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};
struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

}  // namespace

struct ModulePatterns::Compiled {
  std::string pattern;
  std::unique_ptr<pcre2_code, FreeCode> code;
  std::unique_ptr<pcre2_match_data, FreeMatch> match;
  std::unique_ptr<pcre2_match_context, FreeContext> context;
};

ModulePatterns::ModulePatterns() = default;
ModulePatterns::ModulePatterns(ModulePatterns&&) noexcept = default;
ModulePatterns& ModulePatterns::operator=(ModulePatterns&&) noexcept = default;
ModulePatterns::~ModulePatterns() = default;

Result<void> ModulePatterns::add(const std::string& pattern, const std::string& whole) {
  int error = 0;
  std::size_t at = 0;
  Compiled made;
  made.pattern = pattern;
  if (pattern.size() <= limits::kAdapterTargetBytesMax)
    made.code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(whole.data()), whole.size(),
                                  PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY, &error, &at,
                                  nullptr));
  if (made.code == nullptr)
    return fail(Code::kBadInput, "\"" + pattern.substr(0, limits::kAdapterTargetBytesMax) +
                                     "\" is not a regular expression for names of modules");
  made.match.reset(pcre2_match_data_create(1, nullptr));
  made.context.reset(pcre2_match_context_create(nullptr));
  CHECK(made.match != nullptr && made.context != nullptr, "out of memory for \"{}\"", pattern);
  pcre2_set_match_limit(made.context.get(), kStepsMax);
  pcre2_set_depth_limit(made.context.get(), kDepthMax);
  pcre2_set_heap_limit(made.context.get(), kHeapKiBMax);
  compiled_.push_back(std::move(made));
  return {};
}

Result<ModulePatterns> ModulePatterns::compile(std::span<const std::string> patterns) {
  if (patterns.size() > limits::kAdapterPatternsMax)
    return fail(Code::kBadInput, std::to_string(patterns.size()) +
                                     " patterns for modules; at most " +
                                     std::to_string(limits::kAdapterPatternsMax) + " are read");
  ModulePatterns made;
  for (const std::string& pattern : patterns)
    TRY(made.add(pattern, "^(.*\\.)?(" + pattern + ")$"));
  return made;
}

Result<ModulePatterns> ModulePatterns::compile_full(const std::string& pattern) {
  ModulePatterns made;
  TRY(made.add(pattern, "^(?:" + pattern + ")$"));
  return made;
}

Result<std::optional<std::size_t>> ModulePatterns::first_match(std::string_view module) const {
  for (std::size_t i = 0; i < compiled_.size(); ++i) {
    const Compiled& each = compiled_[i];
    const int found = pcre2_match(each.code.get(), reinterpret_cast<PCRE2_SPTR>(module.data()),
                                  module.size(), 0, 0, each.match.get(), each.context.get());
    if (found >= 0) return std::optional(i);
    if (found != PCRE2_ERROR_NOMATCH)
      return fail(Code::kBadInput,
                  "the pattern \"" + each.pattern + "\" takes too long to match names of modules");
  }
  return std::optional<std::size_t>();
}

}  // namespace freshet
