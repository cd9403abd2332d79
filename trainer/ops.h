#pragma once
// The differentiable pieces of a Llama-shaped model, each one autograd node over kernels.h or a matrix product. A frozen
// weight gets no gradient and costs none. All tensors are contiguous f32 on the CPU; N = B*T.

#include <ATen/ATen.h>

#include "trainer/kernels/loops.h"

namespace freshet {

// How matrix products are computed: in f32, or with both factors rounded to bf16 where the processor multiplies it.
enum class Precision : std::uint8_t { kF32, kBf16 };

struct LoraFactors {  // undefined tensors: no adapter
  at::Tensor a;       // [R,I]
  at::Tensor b;       // [O,R]
  float scale = 0;
};

// x [N,I], w [O,I] -> x w^T + scale (x a^T) b^T  [N,O]
at::Tensor linear(const at::Tensor& x, const at::Tensor& w, const LoraFactors& lora, Precision precision);

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& w, float eps);       // [N,C], [C] -> [N,C]
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);                // [N,F], [N,F] -> [N,F]

struct RotaryTable {
  at::Tensor cosine, sine;  // [positions, D/2]
};
RotaryTable rotary_table(int positions, int head_dim, double theta);

// q [N,H*D], k, v [N,G*D], not yet rotated -> [N,H*D]; every sequence of `shape.time` rows on its own, from position 0.
at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const RotaryTable& rotary,
                            const kernels::AttentionShape& shape);

// What a teacher says of each row: ids, q [N,K].
struct TeacherRows {
  at::Tensor ids, q;
  float temperature = 1, teacher_weight = 0, plain_weight = 1;
};

// Mean loss over rows: h [N,C], w [V,C], targets [N] of int64 -> scalar. Logits exist for one chunk of rows at a time.
at::Tensor head_loss(const at::Tensor& h, const at::Tensor& w, const at::Tensor& targets, const TeacherRows* teacher,
                     Precision precision);

}  // namespace freshet
