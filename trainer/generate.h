#pragma once
// Text from a model, token by token: what is asked for and what came.
// trainer/transformer/generation.h runs it.

#include <cstdint>
#include <string>
#include <vector>

#include "model/tokenizer/tokenizer.h"

namespace freshet {

// What transformers calls temperature, top_k, top_p and repetition_penalty, applied as it does and
// in its order.
struct GeneratePlan {
  int tokens_max = 64;
  bool greedy = false;  // always the likeliest token, after the penalty
  float temperature = 1;
  int top_k = 0;    // draw from the so many likeliest alone; 0: from all
  float top_p = 1;  // from the fewest likeliest that reach this probability together
  float repetition_penalty =
      1;  // logits of ids that came before: positive ones divided by it, negative ones multiplied
  std::uint64_t seed = 1;
  std::vector<int> eos_ids = {};
  std::vector<std::string> stops = {};  // texts; found across tokens
};

enum class Stopped : std::uint8_t { kEos, kStop, kLength };
std::string_view name_of(Stopped stopped);  // "eos", "stop", "length"

struct Generated {
  std::vector<TokenId> ids;                // without the prompt; without the EOS that ended it
  std::vector<float> prompt_logits = {};   // [V] after the prompt's last token
  std::string text = {};                   // of ids, up to the stop text
  Stopped stopped = Stopped::kLength;      // tokens_max, or the model's positions
  double prompt_seconds = 0, seconds = 0;  // reading the prompt; making the ids
};

}  // namespace freshet
