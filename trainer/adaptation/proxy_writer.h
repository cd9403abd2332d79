#pragma once
// A large model that writes with what tuning changed in a small one: at every token its logits are
// moved by alpha (z_tuned - z_base) (proxy-tuning, arXiv:2401.08565), or it and the small one are
// mixed by what the text so far says of them (context_mixture.h). Nothing is trained.

#include "trainer/adaptation/context_mixture.h"
#include "trainer/transformer/generation.h"

namespace freshet {

struct ProxyParts {
  const Transformer& large;
  const Lora& large_lora;
  const Transformer& small;
  const Lora& tuned;
  float alpha = 1;
  bool mixed = false;  // by the text so far; alpha then is not used
  MixturePlan mixture = {};
};

// kBadInput where the two do not have one vocabulary. REQUIRES: what `parts` points to outlives the
// writer.
Result<Writer> proxy_writer(const ProxyParts& parts);

}  // namespace freshet
