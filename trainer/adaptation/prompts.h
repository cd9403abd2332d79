#pragma once
// Text that teachers and students look at together: sequences of one length, and what follows each
// token. Public text, or text that a model wrote.

#include <cstdint>

#include "model/text/token_stream.h"
#include "trainer/generate.h"
#include "trainer/transformer/lora.h"
#include "trainer/transformer/pass.h"

namespace freshet {

struct Prompts {
  int window = 0;
  std::vector<TokenId> ids;   // [sequences * window]
  std::vector<TokenId> next;  // [sequences * window]; -1: nothing follows
  std::int64_t rows() const { return static_cast<std::int64_t>(ids.size()); }
  std::int64_t sequences() const { return window == 0 ? 0 : rows() / window; }
};

// `sequences_max` whole windows of a text, evenly taken from all of it; 0: all of them. kBadInput
// for a text without one.
Result<Prompts> prompts_of(const TokenStream& text, int window, std::int64_t sequences_max);

struct WritingPlan {
  int window = 128;
  std::int64_t sequences = 64;
  float temperature = 1, top_p = 1;
  // How likely each id is to begin a window, to a factor; empty: windows of longer texts that begin
  // as documents do. What text begins with decides what it is about, and a model that was tuned on
  // the middle of texts has not learned which of its subjects begin how often.
  std::vector<double> starts = {};
  // No window in which one id stands more often than this in a row; 0: any. A ruled line teaches
  // nothing, and is all that long runs of private text in what a small model writes are found to
  // be.
  int repeats_max = 0;
  std::uint64_t seed = 1;
};

// What a model writes, in windows. The same model, plan and processor write the same. kBadInput for
// starts that are not one weight for each id, and for a model that writes hardly anything but
// repeats.
Result<Prompts> write_prompts(const Transformer& model, const Lora& lora, TokenId bos,
                              const WritingPlan& plan);

// Both, one after the other. REQUIRES: the same window.
Prompts joined(const Prompts& a, const Prompts& b);

// Sequences [first, first + count) as a batch.
TokenBatch batch_of(const Prompts& prompts, std::int64_t first, int count);

}  // namespace freshet
