#pragma once
// One layer, forward and backward, written out by hand: no gradient is computed for a frozen
// weight, and what backward needs is kept in bf16 where products are made of that. What is cheap to
// compute again (norms, the MLP's product) is not kept.

#include <vector>

#include "trainer/kernels/attention.h"
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
  void put(std::int64_t first, std::int64_t count, const float* values);  // these of them alone
  // The values: in place where they are f32, else written to `scratch`.
  const float* get(float* scratch) const;
  // These of them alone, at their places; returns where the first of all would be.
  const float* get(std::int64_t first, std::int64_t count, float* scratch) const;
  // What put() left, as it is kept; null where that is f32.
  const std::uint16_t* halves() const { return bf16_.empty() ? nullptr : bf16_.data(); }
  std::uint16_t* halves() { return bf16_.empty() ? nullptr : bf16_.data(); }
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
  // scale x A^T of the linears that read the same x, side by side; by the first of them.
  std::vector<Memory<float>> u;
};

// Buffers of one pass, as large as its rows ask for; shared by all layers.
struct Workspace {
  Workspace(const Transformer& model, const Lora& lora, std::int64_t rows, bool backward);
  Memory<float> h, qkv, q, k, v, mixed, gate, up, act, u, small;
  Memory<float> dh, dqkv, dq, dk, dv, dmixed, dgate, dup, dact;
  Memory<std::uint16_t> halves;                // an operand in bf16
  Room<std::uint16_t> seen_q, seen_k, seen_v;  // what heads see, where it is not kept
  Room<std::uint16_t> more_halves;             // another
  Room<float> spare, middle, stacked;
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

// Linears that read the same input.
struct Readers {
  std::size_t first, count;
};
inline constexpr int kReadersMax = 3;
Readers readers_with(const Transformer& model, std::size_t linear);
int ranks_of(const Lora& lora, int layer, const Readers& readers);  // their sum

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
// `halves`: the same in bf16, unless null.
void apply_norm(const Norm& norm, float eps, std::int64_t rows, const float* x, float* out,
                float* mean, float* inverse, std::uint16_t* halves = nullptr);
void set_first_seen(const BlockPass& pass);
void rotate_rows(const BlockPass& pass, int heads, bool inverse, float* x);  // x [rows,heads,D]
float* attention_room(const kernels::AttentionShape& shape);                 // this thread's
const void* entry_at(const void* values, std::int64_t index, bool bf16);

// Calls each(first, count) for parts of `rows`, on all threads.
template <class Each>
void over_rows(std::int64_t rows, const Each& each) {
  constexpr std::int64_t kPart = 32;
#pragma omp parallel for schedule(static) if (rows > kPart)
  for (std::int64_t first = 0; first < rows; first += kPart)
    each(first, rows - first < kPart ? rows - first : kPart);
}

// Calls each(shape, sequence, key/value head, scratch) for all of them, on all threads.
template <class Each>
void over_heads(const BlockPass& pass, const Each& each) {
  const ModelConfig& config = pass.model.config;
  const std::vector<int>& seen = pass.work.first_seen;
  const std::int64_t tasks = std::int64_t{pass.shape.sequences} * config.kv_heads;
#pragma omp parallel
  {
    kernels::AttentionShape shape{pass.shape.time, config.heads, config.kv_heads,
                                  config.head_dim, nullptr,      pass.model.bf16_heads()};
    float* scratch = attention_room(shape);
#pragma omp for schedule(dynamic)
    for (std::int64_t task = 0; task < tasks; ++task) {
      const std::int64_t s = task / config.kv_heads;
      shape.first_seen = seen.empty() ? nullptr : seen.data() + s * pass.shape.time;
      each(shape, s, static_cast<int>(task % config.kv_heads), scratch);
    }
  }
}

}  // namespace freshet
