#include "trainer/adaptation/prompts.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/rng.h"
#include "trainer/transformer/generation.h"

namespace freshet {
namespace {

constexpr std::uint64_t kStartStream = 0x73746172;  // of the generator that draws beginnings
constexpr std::uint64_t kTextsForOne = 20;          // that are written for one that is kept

void add_window(std::span<const TokenId> ids, std::size_t at, Prompts& prompts) {
  const auto window = static_cast<std::size_t>(prompts.window);
  for (std::size_t i = at; i < at + window; ++i) {
    prompts.ids.push_back(ids[i]);
    prompts.next.push_back(i + 1 < ids.size() ? ids[i + 1] : -1);
  }
}

bool repeats(std::span<const TokenId> ids, int most) {
  int run = 1;
  for (std::size_t i = 1; most > 0 && i < ids.size(); ++i) {
    run = ids[i] == ids[i - 1] ? run + 1 : 1;
    if (run > most) return true;
  }
  return false;
}

// What texts begin with.
class Starts {
 public:
  static Result<Starts> of(const WritingPlan& plan, int vocab, TokenId bos) {
    Starts starts;
    starts.bos_ = bos;
    starts.seed_ = plan.seed;
    if (plan.starts.empty()) return starts;
    double sum = 0;
    for (const double weight : plan.starts) {
      if (!(weight >= 0)) sum = std::nan("");
      starts.up_to_.push_back(sum += weight);
    }
    if (std::ssize(plan.starts) != vocab || !(sum > 0) || !std::isfinite(sum))
      return fail(Code::kBadInput, "what texts are to begin with is not one weight for each of " +
                                       std::to_string(vocab) + " ids");
    return starts;
  }
  TokenId draw(std::uint64_t text) const {
    if (up_to_.empty()) return bos_;
    const double at = Rng(seed_ + text, kStartStream).uniform() * up_to_.back();
    return static_cast<TokenId>(std::upper_bound(up_to_.begin(), up_to_.end() - 1, at) -
                                up_to_.begin());
  }

 private:
  TokenId bos_ = 0;
  std::uint64_t seed_ = 0;
  std::vector<double> up_to_;
};

}  // namespace

Result<Prompts> prompts_of(const TokenStream& text, int window, std::int64_t sequences_max) {
  const auto wide = static_cast<std::size_t>(window);
  const std::size_t whole = text.size() / wide;
  if (whole == 0)
    return fail(Code::kBadInput, "a text of " + std::to_string(text.size()) +
                                     " tokens has no window of " + std::to_string(window));
  const std::size_t count =
      sequences_max > 0 ? std::min(whole, static_cast<std::size_t>(sequences_max)) : whole;
  Prompts prompts{window, {}, {}};
  for (std::size_t i = 0; i < count; ++i) add_window(text.ids, (i * whole / count) * wide, prompts);
  return prompts;
}

Result<Prompts> write_prompts(const Transformer& model, const Lora& lora, TokenId bos,
                              const WritingPlan& plan) {
  const int positions = model.config.max_positions;
  if (plan.window < 2 || plan.window > positions - 1)
    return fail(Code::kBadInput, "a window of " + std::to_string(plan.window) +
                                     " tokens does not fit the model that is to write it");
  TRY_ASSIGN(const Starts starts, Starts::of(plan, model.config.vocab_size, bos));
  const std::int64_t each =
      plan.starts.empty() ? std::max(1, (positions - 1) / plan.window) : 1;  // windows of a text
  Prompts prompts{plan.window, {}, {}};
  const std::uint64_t most = kTextsForOne * static_cast<std::uint64_t>(plan.sequences);
  for (std::uint64_t text = 0; prompts.sequences() < plan.sequences; ++text) {
    if (text == most)
      return fail(Code::kBadInput, "the model writes one token over and over: of " +
                                       std::to_string(most) + " texts only " +
                                       std::to_string(prompts.sequences()) + " windows do not");
    std::vector<TokenId> ids{starts.draw(text)};
    TRY_ASSIGN(const Generated written,
               generate(model, lora, nullptr, ids,
                        {.tokens_max = static_cast<int>(each) * plan.window,
                         .temperature = plan.temperature,
                         .top_p = plan.top_p,
                         .seed = plan.seed + text}));
    ids.insert(ids.end(), written.ids.begin(), written.ids.end());
    const auto window = static_cast<std::size_t>(plan.window);
    for (std::size_t at = 0; at + window <= ids.size() && prompts.sequences() < plan.sequences;
         at += window)
      if (!repeats(std::span(ids).subspan(at, window), plan.repeats_max))
        add_window(ids, at, prompts);
  }
  return prompts;
}

Prompts joined(const Prompts& a, const Prompts& b) {
  CHECK(a.window == b.window, "{} and {}", a.window, b.window);
  Prompts both = a;
  both.ids.insert(both.ids.end(), b.ids.begin(), b.ids.end());
  both.next.insert(both.next.end(), b.next.begin(), b.next.end());
  return both;
}

TokenBatch batch_of(const Prompts& prompts, std::int64_t first, int count) {
  TokenBatch batch;
  batch.sequences = count;
  batch.time = prompts.window;
  const auto begin = static_cast<std::ptrdiff_t>(first * prompts.window),
             end = begin + static_cast<std::ptrdiff_t>(batch.rows());
  batch.ids.assign(prompts.ids.begin() + begin, prompts.ids.begin() + end);
  batch.targets.assign(prompts.next.begin() + begin, prompts.next.begin() + end);
  return batch;
}

}  // namespace freshet
