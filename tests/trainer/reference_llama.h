#pragma once
// The same model in plain tensor operations and f64, slow and obvious: the specification that the
// fast one is held to.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "trainer/torch/llama.h"

namespace freshet::reference {

inline at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& w, double eps) {
  return x * at::rsqrt(x.pow(2).mean(-1, true) + eps) * w;
}

inline at::Tensor rotate(const at::Tensor& x, double theta) {  // [B,H,T,D]
  const std::int64_t time = x.size(2), half = x.size(3) / 2;
  const at::Tensor frequency =
      at::pow(theta, at::arange(half, at::kDouble) * (-1.0 / static_cast<double>(half)));
  const at::Tensor angle = at::arange(time, at::kDouble).unsqueeze(1) * frequency;  // [T,D/2]
  const at::Tensor low = x.narrow(3, 0, half), high = x.narrow(3, half, half);
  return at::cat({low * angle.cos() - high * angle.sin(), high * angle.cos() + low * angle.sin()},
                 3);
}

inline at::Tensor logits(const Llama& llama, const at::Tensor& ids) {  // [B,T] -> [B*T,V]
  const ModelConfig& config = llama.config;
  const std::int64_t batch = ids.size(0), time = ids.size(1);
  auto wide = [](const at::Tensor& t) { return t.detach().to(at::kDouble); };
  at::Tensor x = at::embedding(wide(llama.embedding), ids.reshape({-1}));
  for (const LlamaLayer& layer : llama.layers) {
    auto project = [&](const at::Tensor& input, Projection p) {
      return at::matmul(input, wide(layer.projections[p]).t());
    };
    auto heads = [&](const at::Tensor& y, int count) {  // [B,H,T,D], key/value heads repeated
      at::Tensor split = y.reshape({batch, time, count, config.head_dim}).transpose(1, 2);
      return count == config.heads ? split : split.repeat_interleave(config.heads / count, 1);
    };
    at::Tensor h = rms_norm(x, wide(layer.input_norm), config.norm_eps);
    const at::Tensor q = rotate(heads(project(h, kQ), config.heads), config.rope_theta);
    const at::Tensor k = rotate(heads(project(h, kK), config.kv_heads), config.rope_theta);
    const at::Tensor v = heads(project(h, kV), config.kv_heads);
    at::Tensor scores =
        at::matmul(q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(config.head_dim));
    scores = scores + at::full({time, time}, -1e30, at::kDouble).triu(1);
    const at::Tensor mixed =
        at::matmul(at::softmax(scores, -1), v).transpose(1, 2).reshape({batch * time, -1});
    x = x + project(mixed, kO);
    h = rms_norm(x, wide(layer.post_norm), config.norm_eps);
    const at::Tensor gate = project(h, kGate);
    x = x + project(gate * at::sigmoid(gate) * project(h, kUp), kDown);
  }
  return at::matmul(rms_norm(x, wide(llama.norm), config.norm_eps), wide(llama.head).t());
}

}  // namespace freshet::reference
