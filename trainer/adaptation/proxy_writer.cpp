#include "trainer/adaptation/proxy_writer.h"

#include <algorithm>

#include "trainer/transformer/decoder.h"

namespace freshet {
namespace {

class ProxyDecoder {
 public:
  ProxyDecoder(const ProxyParts& parts, int positions)
      : alpha_(parts.alpha),
        large_(parts.large, parts.large_lora, positions),
        tuned_(parts.small, parts.tuned, positions),
        base_(parts.small, none_, positions),
        out_(static_cast<std::size_t>(parts.large.config.vocab_size)) {}

  Result<const float*> feed(std::span<const TokenId> ids) {
    TRY_ASSIGN(const float* large, large_.feed(ids));
    TRY_ASSIGN(const float* tuned, tuned_.feed(ids));
    TRY_ASSIGN(const float* base, base_.feed(ids));
    for (std::size_t i = 0; i < out_.size(); ++i)
      out_[i] = large[i] + alpha_ * (tuned[i] - base[i]);
    return out_.data();
  }

 private:
  float alpha_;
  Lora none_;
  Decoder large_, tuned_, base_;
  std::vector<float> out_;
};

// The same three, mixed: the weights follow the tokens, so they are read one at a time.
class MixtureDecoder {
 public:
  MixtureDecoder(const ProxyParts& parts, int positions)
      : plan_(parts.mixture),
        large_(parts.large, parts.large_lora, positions),
        tuned_(parts.small, parts.tuned, positions),
        base_(parts.small, none_, positions),
        row_(plan_, parts.large.config.vocab_size),
        weights_(plan_),
        said_(plan_.opinions.size()),
        out_(static_cast<std::size_t>(parts.large.config.vocab_size)) {}

  Result<const float*> feed(std::span<const TokenId> ids) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const std::span<const TokenId> one = ids.subspan(i, 1);
      TRY_ASSIGN(const float* large, large_.feed(one));
      TRY_ASSIGN(const float* tuned, tuned_.feed(one));
      TRY_ASSIGN(const float* base, base_.feed(one));
      if (any_) {
        for (std::size_t e = 0; e < said_.size(); ++e) said_[e] = row_.log_prob(e, one[0]);
        weights_.observe(said_);
      }
      row_.read(large, tuned, base);
      any_ = true;
    }
    row_.mix(weights_.weights(), out_.data());
    return out_.data();
  }

 private:
  MixturePlan plan_;
  Lora none_;
  Decoder large_, tuned_, base_;
  OpinionRow row_;
  OpinionWeights weights_;
  std::vector<double> said_;
  std::vector<float> out_;
  bool any_ = false;  // row_ is about what follows the tokens so far
};

template <typename Kind>
FeedTokens feeds(const ProxyParts& parts, int positions) {
  const auto decoder = std::make_shared<Kind>(parts, positions);
  return [decoder](std::span<const TokenId> ids) { return decoder->feed(ids); };
}

}  // namespace

Result<Writer> proxy_writer(const ProxyParts& parts) {
  const ModelConfig &large = parts.large.config, &small = parts.small.config;
  if (large.vocab_size != small.vocab_size)
    return fail(Code::kBadInput, "the models have vocabularies of " +
                                     std::to_string(large.vocab_size) + " and " +
                                     std::to_string(small.vocab_size) +
                                     " ids; moving logits from one to another needs one tokenizer");
  TRY(check_mixture(parts.mixture));
  return Writer{std::min(large.max_positions, small.max_positions), large.vocab_size,
                [parts](int positions) -> FeedTokens {
                  return parts.mixed ? feeds<MixtureDecoder>(parts, positions)
                                     : feeds<ProxyDecoder>(parts, positions);
                }};
}

}  // namespace freshet
