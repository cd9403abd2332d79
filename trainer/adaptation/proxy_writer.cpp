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

}  // namespace

Result<Writer> proxy_writer(const ProxyParts& parts) {
  const ModelConfig &large = parts.large.config, &small = parts.small.config;
  if (large.vocab_size != small.vocab_size)
    return fail(Code::kBadInput, "the models have vocabularies of " +
                                     std::to_string(large.vocab_size) + " and " +
                                     std::to_string(small.vocab_size) +
                                     " ids; moving logits from one to another needs one tokenizer");
  return Writer{std::min(large.max_positions, small.max_positions), large.vocab_size,
                [parts](int positions) -> FeedTokens {
                  const auto decoder = std::make_shared<ProxyDecoder>(parts, positions);
                  return [decoder](std::span<const TokenId> ids) { return decoder->feed(ids); };
                }};
}

}  // namespace freshet
