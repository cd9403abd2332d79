#pragma once
// Text from a model, token by token. This header needs no LibTorch; trainer/local_model.h runs it.

#include <cstdint>
#include <vector>

#include "model/tokenizer/tokenizer.h"

namespace freshet {

struct GeneratePlan {
  int tokens_max = 64;
  bool greedy = false;
  float temperature = 1;
  std::uint64_t seed = 1;
  int eos_id = -1;  // stops here; -1 never
};

struct Generated {
  std::vector<TokenId> ids;          // without the prompt; without the EOS that ended it
  std::vector<float> prompt_logits;  // [V] after the prompt's last token
};

}  // namespace freshet
