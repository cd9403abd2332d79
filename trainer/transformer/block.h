#pragma once
// One layer, forward and backward, written out by hand: no gradient is computed for a frozen
// weight, and what backward needs is kept in bf16 where products are made of that. What is cheap to
// compute again (norms, the MLP's product) is not kept.

#include <vector>

#include "trainer/kernels/loops.h"
#include "trainer/transformer/lora.h"
#include "trainer/transformer/memory.h"
#include "trainer/transformer/transformer.h"

namespace freshet {

// Rows of one pass: `sequences` times `time` tokens.
struct PassShape {
  int sequences = 1, time = 1;
  const int* positions = nullptr;   // [rows]; null: 0, 1, 2, ... in every sequence
  const int* first_seen = nullptr;  // [rows]: the first place of its sequence that a row sees;
                                    // null: 0. Not yet limited by a window
  std::int64_t rows() const { return std::int64_t{sequences} * time; }
};

// Numbers that backward needs: f32, or bf16 where that is what products see anyway.
class Kept {
 public:
  Kept() = default;
  Kept(std::int64_t count, bool bf16);
  // Where to write what is to be kept: its own place where that is f32, else `scratch`; put() then
  // takes it from there.
  float* target(float* scratch) { return f32_.empty() ? scratch : f32_.data(); }
  void put(const float* values);  // nothing to do where `values` is already its own place
  // The values: in place where they are f32, else written to `scratch`.
  const float* get(float* scratch) const;
  std::size_t count() const { return static_cast<std::size_t>(count_); }

 private:
  std::int64_t count_ = 0;
  Memory<float> f32_;
  Memory<std::uint16_t> bf16_;
};

struct KeptLayer {
  // `layer` -1: room for whichever layer has the most.
  KeptLayer(const Transformer& model, std::int64_t rows, const Lora& lora, int layer, bool bf16);
  Kept q, k, v, mixed, middle, gate,
      up;             // q, k as the heads see them; gate: GPT-2's MLP before gelu
  Kept raw_q, raw_k;  // before their norm, where there is one
  Memory<float> inverse1, mean1, inverse2, mean2, inverse_q, inverse_k, log_sum;
  std::vector<Memory<float>> u;  // by linear: scale x A^T
};

// Buffers of one pass, as large as its rows ask for; shared by all layers.
struct Workspace {
  Workspace(const Transformer& model, const Lora& lora, std::int64_t rows, bool backward);
  Memory<float> h, qkv, q, k, v, mixed, gate, up, act, u, small;
  Memory<float> dh, dqkv, dq, dk, dv, dmixed, dgate, dup, dact;
  Memory<std::uint16_t> halves;  // an operand in bf16
  Room<float> spare, middle, turned;
  std::vector<int> first_seen;
  Rotary rotary;
};

struct BlockPass {
  const Transformer& model;
  const Lora& lora;
  const PassShape& shape;
  Workspace& work;
  int layer;
};

// x [rows,C] in place. `kept` may be null: nothing is kept.
void forward_block(const BlockPass& pass, float* x, KeptLayer* kept);

// dx [rows,C] in place: d loss / d output to d loss / d input. `x` is the block's input. Adds to
// the gradients of the layer's factors. With `input` false d loss / d input is not computed and dx
// is left undefined.
void backward_block(const BlockPass& pass, const float* x, const KeptLayer& kept, bool input,
                    float* dx);

// Shared by the two, by decoder.cpp and by head.cpp. What a product reads: `halves`, with room for
// rows of an even number of entries, takes the values in bf16 where products are made of that.
kernels::Operand operand(const Transformer& model, std::uint16_t* halves, const float* values,
                         std::int64_t rows, std::int64_t columns);
kernels::Operand operand(const Transformer& model, Workspace& work, const float* values,
                         std::int64_t rows, std::int64_t columns);
void apply_norm(const Norm& norm, float eps, std::int64_t rows, const float* x, float* out,
                float* mean, float* inverse);
void set_first_seen(const BlockPass& pass);
void rotate_rows(const BlockPass& pass, int heads, bool inverse, float* x);  // x [rows,heads,D]
float* attention_room(const kernels::AttentionShape& shape);                 // this thread's

// Calls each(first, count) for parts of `rows`, on all threads.
template <class Each>
void over_rows(std::int64_t rows, const Each& each) {
  constexpr std::int64_t kPart = 32;
#pragma omp parallel for schedule(static) if (rows > kPart)
  for (std::int64_t first = 0; first < rows; first += kPart)
    each(first, rows - first < kPart ? rows - first : kPart);
}

}  // namespace freshet
