#include "model/tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <optional>

#include "model/tokenizer/pattern.h"
#include "model/tokenizer/utf8.h"
#include "model/tokenizer/word_scanner.h"

namespace freshet {
namespace {

struct Part {
  std::size_t begin, end;
  bool match;
};

// Matches and what stands between them, together the text.
std::vector<Part> parts_of(const Pattern& pattern, bool invert, std::string_view text) {
  std::vector<Part> parts;
  std::size_t from = 0;
  pattern.each(text, [&](std::size_t begin, std::size_t end) {
    if (begin > from) parts.push_back({from, begin, invert});
    parts.push_back({begin, end, !invert});
    from = end;
  });
  if (from < text.size()) parts.push_back({from, text.size(), invert});
  return parts;
}

// Joins neighbours in place.
void apply(SplitBehavior behavior, std::vector<Part>& parts) {
  if (behavior == SplitBehavior::kRemoved)
    std::erase_if(parts, [](const Part& part) { return part.match; });
  if (behavior == SplitBehavior::kRemoved || behavior == SplitBehavior::kIsolated) return;
  const bool backwards = behavior == SplitBehavior::kMergedWithNext;
  if (backwards) std::reverse(parts.begin(), parts.end());
  std::vector<Part> joined;
  bool previous = false;
  for (const Part& part : parts) {
    const bool joins =
        !joined.empty() &&
        (behavior == SplitBehavior::kContiguous ? part.match == previous : part.match && !previous);
    previous = part.match;
    if (!joins)
      joined.push_back(part);
    else if (backwards)
      joined.back().begin = part.begin;
    else
      joined.back().end = part.end;
  }
  if (backwards) std::reverse(joined.begin(), joined.end());
  parts = std::move(joined);
}

// Digits (and other characters of category N) stand apart: each, or each run of them.
void split_digits(std::string_view text, bool individual, const WordSink& next) {
  std::size_t from = 0;
  bool in_run = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t known = lead < 0x80 ? 1 : utf8_character_bytes(text.substr(at));
    const bool number = lead < 0x80
                            ? lead >= '0' && lead <= '9'
                            : known > 0 && is_number(utf8_code_point(text.substr(at), known));
    if ((number != in_run || (number && individual)) && at > from) {
      next(text.substr(from, at - from));
      from = at;
    }
    in_run = number;
    at += std::max<std::size_t>(known, 1);
  }
  if (from < text.size()) next(text.substr(from));
}

}  // namespace

struct PreTokenizer::Step {
  PreTokenizerStep is;
  std::optional<KnownPattern> known;
  std::optional<Pattern> pattern;
};

PreTokenizer::PreTokenizer(std::vector<Step> steps) : steps_(std::move(steps)) {}
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;
PreTokenizer::~PreTokenizer() = default;

Result<PreTokenizer> PreTokenizer::make(std::span<const PreTokenizerStep> steps) {
  std::vector<Step> made;
  for (const PreTokenizerStep& step : steps) {
    Step& last = made.emplace_back(Step{step, std::nullopt, std::nullopt});
    if (step.kind == PreTokenizerStep::Kind::kByteLevel && step.use_regex)
      last.known = KnownPattern::kGpt2;
    if (step.kind != PreTokenizerStep::Kind::kSplit || step.pattern.empty()) continue;
    if (step.regex && !step.invert && step.behavior == SplitBehavior::kIsolated)
      last.known = known_pattern(step.pattern);
    if (last.known) continue;
    TRY_ASSIGN(last.pattern,
               step.regex ? Pattern::compile(step.pattern) : Pattern::literal(step.pattern));
  }
  return PreTokenizer(std::move(made));
}

void PreTokenizer::run(std::size_t step, std::string_view text, bool at_start,
                       const WordSink& word) const {
  if (text.empty()) return;
  if (step == steps_.size()) return word(text);
  bool first = at_start;
  const auto next = [&](std::string_view part) {
    run(step + 1, part, first, word);
    first = false;
  };
  switch (steps_[step].is.kind) {
    case PreTokenizerStep::Kind::kByteLevel: return run_byte_level(step, text, next);
    case PreTokenizerStep::Kind::kSplit: return run_split(step, text, next);
    case PreTokenizerStep::Kind::kDigits:
      return split_digits(text, steps_[step].is.individual_digits, next);
    case PreTokenizerStep::Kind::kMetaspace: return run_metaspace(step, text, at_start, next);
  }
}

void PreTokenizer::run_byte_level(std::size_t step, std::string_view text,
                                  const WordSink& next) const {
  std::string with_space;
  if (steps_[step].is.prefix_space && !text.starts_with(' '))
    text = with_space = " " + std::string(text);
  if (!steps_[step].is.use_regex) return next(text);
  split_words(KnownPattern::kGpt2, text, next);
}

void PreTokenizer::run_split(std::size_t step, std::string_view text, const WordSink& next) const {
  const Step& split = steps_[step];
  if (split.known) return split_words(*split.known, text, next);
  if (!split.pattern) return next(text);  // an empty string matches nowhere
  while (!text.empty()) {
    const Utf8Run run = next_utf8_run(text);
    text.remove_prefix(run.text.size());
    if (!run.well_formed) {
      next(run.text);
      continue;
    }
    std::vector<Part> parts = parts_of(*split.pattern, split.is.invert, run.text);
    apply(split.is.behavior, parts);
    for (const Part& part : parts)
      if (part.end > part.begin) next(run.text.substr(part.begin, part.end - part.begin));
  }
}

void PreTokenizer::run_metaspace(std::size_t step, std::string_view text, bool at_start,
                                 const WordSink& next) const {
  const PreTokenizerStep& is = steps_[step].is;
  std::string marked;
  const auto starts_marked = text.starts_with(' ') || text.starts_with(is.replacement);
  if (!starts_marked &&
      (is.prepend == PrependScheme::kAlways || (is.prepend == PrependScheme::kFirst && at_start)))
    marked = is.replacement;
  marked.reserve(text.size() + text.size() / 2);
  for (char c : text) {
    if (c == ' ')
      marked += is.replacement;
    else
      marked += c;
  }
  if (!is.split) return next(marked);
  for (std::size_t from = 0; from < marked.size();) {
    const std::size_t end = std::min(marked.find(is.replacement, from + 1), marked.size());
    next(std::string_view(marked).substr(from, end - from));
    from = end;
  }
}

}  // namespace freshet
