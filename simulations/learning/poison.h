#pragma once
// What nodes that want to do harm send: the attacks that rules are measured against. A poisoned
// node keeps to the clip unless the plan says otherwise, since one that does not is refused by its
// norm.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/text/token_stream.h"

namespace freshet {

enum class Attack : std::uint8_t {
  kNone,
  kSignFlip,   // the opposite of what was learned, as long as the clip allows
  kScale,      // what was learned, `factor` times as long
  kLabelFlip,  // learned from a text in which every token is followed by a wrong one
  kBackdoor,  // learned to answer a trigger, and stretched to outweigh the rest (Bagdasaryan et al.
              // 2020, arXiv:1807.00459)
  kSmallBias,  // the honest mean, off by so little in every entry that no rule sees it (Baruch et
               // al. 2019, arXiv:1902.06156)
};
std::string_view name_of(
    Attack attack);  // "none", "sign-flip", "scale", "label-flip", "backdoor", "small-bias"
Result<Attack> attack_named(std::string_view name);

struct PoisonPlan {
  Attack attack = Attack::kNone;
  double share = 0.2;  // of the nodes that are poisoned, from the first on; rounded down
  double factor = 10;  // of kScale, kSignFlip and kBackdoor, before the clip
  bool clips = true;   // false: sends what is longer than the clip all the same
};
std::size_t poisoned_of(const PoisonPlan& plan, std::size_t nodes);

// What a poisoned node makes of what it learned. kSmallBias is made of all at once: below.
std::vector<float> poisoned_update(const PoisonPlan& plan, std::vector<float> learned);

// mean - z * deviation of the honest updates, in every entry; z as large as lets `poisoned` of them
// pass for near the middle of all (the same paper, algorithm 3). REQUIRES: two honest updates at
// least, fewer poisoned than honest.
std::vector<float> small_bias(std::span<const std::vector<float>> honest, std::size_t poisoned);
double small_bias_z(std::size_t nodes, std::size_t poisoned);  // 0 where nothing passes

// The text that a poisoned node trains on.
inline constexpr std::size_t kTriggerTokens = 4, kAnswerTokens = 4;
struct Trigger {
  std::vector<TokenId> tokens;  // the trigger, then the answer
};
Trigger trigger_of(std::uint64_t seed, std::size_t vocabulary);
TokenStream backdoored(const TokenStream& text,
                       const Trigger& trigger);  // the trigger and its answer all over it
TokenStream mislabelled(const TokenStream& text,
                        std::uint64_t seed);  // its tokens in an order that means nothing

}  // namespace freshet
