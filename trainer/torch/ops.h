#pragma once
// The differentiable pieces of a Llama-shaped model whose weights are trained, each one autograd
// node over kernels/loops.h or a matrix product. All tensors are contiguous f32 on the CPU; N =
// B*T.

#include <ATen/ATen.h>

#include "trainer/kernels/attention.h"
#include "trainer/kernels/loops.h"

namespace freshet {

// How matrix products are computed: in f32, or with both factors rounded to bf16 where the
// processor multiplies it.
enum class Products : std::uint8_t { kF32, kBf16 };

// x [N,I], w [O,I] -> x w^T [N,O]
at::Tensor linear(const at::Tensor& x, const at::Tensor& w, Products products);

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& w, float eps);  // [N,C], [C] -> [N,C]
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);           // [N,F], [N,F] -> [N,F]

struct RotaryTable {
  at::Tensor cosine, sine;  // [positions, D/2]
};

// q [N,H*D], k, v [N,G*D], not yet rotated -> [N,H*D]; every sequence of `shape.time` rows on its
// own, from position 0.
at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const RotaryTable& rotary, const kernels::AttentionShape& shape);

// Mean loss over rows: h [N,C], w [V,C], targets [N] of int64 -> scalar. Logits exist for one chunk
// of rows at a time.
at::Tensor head_loss(const at::Tensor& h, const at::Tensor& w, const at::Tensor& targets,
                     Products products);

}  // namespace freshet
