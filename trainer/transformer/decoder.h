#pragma once
// A model that continues a text: the keys and values of the tokens before are kept, so that one
// more token costs one row of every product. The adapter stays beside the weights.

#include <span>
#include <vector>

#include "model/tokenizer/tokenizer.h"
#include "trainer/kernels/cached_attention.h"
#include "trainer/transformer/block.h"

namespace freshet {

class Decoder {
 public:
  // Room for `positions` tokens. REQUIRES: model and lora outlive this; 0 < positions <= the
  // model's.
  Decoder(const Transformer& model, const Lora& lora, int positions);

  // Appends tokens; returns the logits [V] after the last of them, valid until the next call.
  // kBadInput, and nothing is appended, for no tokens, more than there is room for, or an id that
  // the model does not have.
  Result<const float*> feed(std::span<const TokenId> ids);

  int length() const { return length_; }
  // Forgets the tokens from `length` on. REQUIRES: 0 <= length <= length().
  void rewind(int length);

 private:
  struct Step {  // one linear module of a layer
    std::size_t linear;
    float* y;
    bool accumulate = false;
  };
  // Where the queries, keys and values of a row are: GPT-2 makes them as one.
  struct Rows {
    float *q, *k, *v;
    std::int64_t q_stride, kv_stride;
  };

  void run(std::span<const TokenId> ids);
  void embed(std::span<const TokenId> ids);
  void run_layer(int layer, int rows);
  void project(int layer, const kernels::Operand& x, std::span<const Step> steps);
  Rows make_rows(int layer, int rows);
  void turn_and_keep(int layer, int row, const Rows& at);
  void attend(int layer, int rows);

  const Transformer& model_;
  const Lora& lora_;
  int positions_, length_ = 0;
  Workspace work_;
  Rotary rotary_;
  Memory<float> x_, u_, logits_;  // [rows,C], [3,rows,R], [V]
  std::vector<Memory<std::uint8_t>> kept_;
  std::vector<kernels::KvStore> stores_;  // by layer
};

}  // namespace freshet
