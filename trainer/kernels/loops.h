#pragma once
// The loops of a Llama-shaped transformer that a chain of tensor operations would run through
// memory many times: plain f32 pointers, no LibTorch. Forward and backward stand together. Letters:
// B batch, T time, H heads, G key/value heads, D head dimension, N = B*T rows, C channels, V
// vocabulary. All buffers are row-major and do not overlap.

#include <cstdint>

namespace freshet::kernels {

// y[n,c] = x[n,c] * w[c] / rms(x[n]); inverse_rms [N] is kept for the backward pass.
struct Rows {
  std::int64_t rows;
  int columns;
};
void rms_norm(Rows shape, float eps, const float* x, const float* w, float* y, float* inverse_rms);
// dx [N,C]; dw [C] is added to, unless null.
void rms_norm_backward(Rows shape, const float* dy, const float* x, const float* w,
                       const float* inverse_rms, float* dx, float* dw);

// y = (x - mean) / deviation * w + b (Ba et al. 2016, arXiv:1607.06450); mean, inverse [N] are
// kept.
void layer_norm(Rows shape, float eps, const float* x, const float* w, const float* b, float* y,
                float* mean, float* inverse);
void layer_norm_backward(Rows shape, const float* dy, const float* x, const float* w,
                         const float* mean, const float* inverse, float* dx);

// x 0.5 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): the form of GELU that GPT-2 has ("gelu_new").
void gelu(std::int64_t count, const float* x, float* out);
void gelu_backward(std::int64_t count, const float* dout, const float* x, float* dx);

// out = silu(gate) * up
void swiglu(std::int64_t count, const float* gate, const float* up, float* out);
void swiglu_backward(std::int64_t count, const float* dout, const float* gate, const float* up,
                     float* dgate, float* dup);

// Rotary embedding, the rotate-half form (Su et al. 2021, arXiv:2104.09864): in place on x [T,
// heads, D]; cosine, sine [positions, D/2]; positions [T], null for 0, 1, 2, ... `inverse` rotates
// back, which is the backward pass.
void rotate(int time, int heads, int head_dim, const int* positions, const float* cosine,
            const float* sine, bool inverse, float* x);

// One row of logits z[V] in place: returns -log softmax(z)[target] and leaves z = d loss / d z.
float cross_entropy(int vocab, std::int64_t target, float* z);

// Distillation with a rest bucket (arXiv:2503.16870): the teacher gives `kept`
// ids with probabilities q; with p = softmax(z / temperature), m = sum q, r = 1 - sum_kept p:
//   loss = temperature^2 * ( -sum q_i log p_i - (1 - m) log r ).
// Returns plain_weight * cross entropy(target) + teacher_weight * that, and leaves z = its
// gradient. scratch: V floats.
struct Teacher {
  const std::int64_t* ids;  // [kept]
  const float* q;           // [kept], sum <= 1
  int kept;
  float temperature;
  float teacher_weight, plain_weight;
};
float distillation(int vocab, std::int64_t target, const Teacher& teacher, float* z,
                   float* scratch);

// AdamW (Loshchilov & Hutter 2019) on one flat array; step counts from 1.
struct AdamW {
  float lr, beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f, weight_decay = 0;
  std::int64_t step;
};
void adamw(const AdamW& rule, std::int64_t count, const float* gradient, float* first,
           float* second, float* values);

}  // namespace freshet::kernels
