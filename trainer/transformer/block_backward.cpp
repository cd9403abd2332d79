#include <cstring>

#include "trainer/kernels/loops.h"
#include "trainer/kernels/timing.h"
#include "trainer/transformer/block.h"

namespace freshet {
namespace {

// What one linear module's backward works on.
struct Turn {
  std::size_t index;
  const float* x;   // [N,I], what went in
  const float* dy;  // [N,O]
  float* dx;        // [N,I]; null: not wanted
  bool accumulate;  // dx += instead of dx =
};

// d loss / d b [O,R] += dy^T u; computed as its transpose, so that dy is read as it lies.
void add_db(Workspace& work, const LoraFactor& factor, const float* u, const Turn& turn,
            std::int64_t rows, std::int64_t out) {
  float* turned = work.turned.of(static_cast<std::size_t>(factor.rank * out));  // [R,O]
  kernels::multiply_transposed({rows, factor.rank, out, u, turn.dy, 1.0f, false, turned});
  for (std::int64_t o = 0; o < out; ++o)
    for (int r = 0; r < factor.rank; ++r) factor.db[o * factor.rank + r] += turned[r * out + o];
}

void backward_linear(const BlockPass& pass, const KeptLayer& kept, const Turn& turn) {
  const timing::Scope scope(timing::Kind::kLora);
  const Linear& linear =
      pass.model.layers[static_cast<std::size_t>(pass.layer)].linears[turn.index];
  const LoraFactor& factor = pass.lora.factor(pass.layer, turn.index);
  const std::int64_t rows = pass.shape.rows(), in = linear.in(), out = linear.out();
  float* du = pass.work.u.data();  // [N,R]
  if (factor.rank > 0 && (factor.da != nullptr || turn.dx != nullptr)) {
    const kernels::Matrix b{kernels::Form::kF32, out, factor.rank, factor.b, nullptr};
    kernels::multiply({{rows, out, turn.dy, nullptr}, b, true, nullptr, {}, false, du});
    for (std::int64_t i = 0; i < rows * factor.rank; ++i) du[i] *= factor.scale;
  }
  if (factor.da)
    kernels::multiply_transposed({rows, factor.rank, in, du, turn.x, 1.0f, true, factor.da});
  if (factor.db) add_db(pass.work, factor, kept.u[turn.index].data(), turn, rows, out);
  if (turn.dx == nullptr) return;
  const timing::Scope product(timing::Kind::kBackward, turn.index);
  kernels::multiply({operand(pass.model, pass.work, turn.dy, rows, out),
                     linear.matrix,
                     !linear.by_input,
                     nullptr,
                     {du, factor.a, factor.rank, true},
                     turn.accumulate,
                     turn.dx});
}

// dx += d loss / d x of a norm, dy given.
void backward_norm(const Norm& norm, std::int64_t rows, const float* dy, const float* x,
                   const float* mean, const float* inverse, float* dx) {
  const timing::Scope scope(timing::Kind::kNorm);
  const int columns = static_cast<int>(norm.weight.size());
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    std::vector<float> part(static_cast<std::size_t>(some * columns));
    const std::int64_t at = first * columns;
    if (norm.bias.empty())
      kernels::rms_norm_backward({some, columns}, dy + at, x + at, norm.weight.data(),
                                 inverse + first, part.data(), nullptr);
    else
      kernels::layer_norm_backward({some, columns}, dy + at, x + at, norm.weight.data(),
                                   mean + first, inverse + first, part.data());
    for (std::size_t i = 0; i < part.size(); ++i) dx[at + static_cast<std::int64_t>(i)] += part[i];
  });
}

void backward_norm_heads(const std::vector<float>& weight, std::int64_t rows, int heads,
                         const float* x, const float* inverse, float* dy) {
  const timing::Scope scope(timing::Kind::kNorm);
  const int dim = static_cast<int>(weight.size());
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    std::vector<float> part(static_cast<std::size_t>(some * heads * dim));
    const std::int64_t at = first * heads * dim;
    kernels::rms_norm_backward({some * heads, dim}, dy + at, x + at, weight.data(),
                               inverse + first * heads, part.data(), nullptr);
    std::memcpy(dy + at, part.data(), part.size() * sizeof(float));
  });
}

// work.dmixed -> work.dq, dk, dv
void attend_backward(const BlockPass& pass, const KeptLayer& kept) {
  const timing::Scope scope(timing::Kind::kAttention);
  const ModelConfig& config = pass.model.config;
  Workspace& work = pass.work;
  const int time = pass.shape.time;
  const float *q = kept.q.get(work.q.data()), *k = kept.k.get(work.k.data()),
              *v = kept.v.get(work.v.data());
  const float* mixed = kept.mixed.get(work.mixed.data());
  const std::int64_t wide = std::int64_t{time} * config.heads * config.head_dim,
                     narrow = std::int64_t{time} * config.kv_heads * config.head_dim;
  const std::int64_t tasks = std::int64_t{pass.shape.sequences} * config.kv_heads;
  set_first_seen(pass);
#pragma omp parallel
  {
    kernels::AttentionShape shape{time, config.heads, config.kv_heads, config.head_dim, nullptr};
    float* scratch = attention_room(shape);
#pragma omp for schedule(dynamic)
    for (std::int64_t task = 0; task < tasks; ++task) {
      const std::int64_t s = task / config.kv_heads;
      shape.first_seen = work.first_seen.empty() ? nullptr : work.first_seen.data() + s * time;
      kernels::attention_backward(
          shape, static_cast<int>(task % config.kv_heads), work.dmixed.data() + s * wide,
          q + s * wide, k + s * narrow, v + s * narrow, mixed + s * wide,
          kept.log_sum.data() + s * config.heads * time, work.dq.data() + s * wide,
          work.dk.data() + s * narrow, work.dv.data() + s * narrow, scratch);
    }
  }
}

void join_qkv(const BlockPass& pass, std::int64_t rows) {
  const ModelConfig& config = pass.model.config;
  const std::size_t q =
      static_cast<std::size_t>(config.heads) * static_cast<std::size_t>(config.head_dim);
  const std::size_t kv =
      static_cast<std::size_t>(config.kv_heads) * static_cast<std::size_t>(config.head_dim);
  Workspace& work = pass.work;
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    for (auto n = static_cast<std::size_t>(first); n < static_cast<std::size_t>(first + some);
         ++n) {
      float* to = work.dqkv.data() + n * (q + 2 * kv);
      std::memcpy(to, work.dq.data() + n * q, q * 4);
      std::memcpy(to + q, work.dk.data() + n * kv, kv * 4);
      std::memcpy(to + q + kv, work.dv.data() + n * kv, kv * 4);
    }
  });
}

// dx gains what flows through the MLP; middle is its input before the norm.
void backward_mlp(const BlockPass& pass, const KeptLayer& kept, const float* middle, float* dx) {
  const Layer& layer = pass.model.layers[static_cast<std::size_t>(pass.layer)];
  Workspace& work = pass.work;
  const std::int64_t rows = pass.shape.rows(), f = pass.model.config.intermediate_size;
  const std::size_t down = layer.linears.size() - 1;
  const bool gpt2 = pass.model.fused_qkv();
  const float* gate = kept.gate.get(work.gate.data());
  const float* up = gpt2 ? nullptr : kept.up.get(work.up.data());
  const timing::Scope scope(timing::Kind::kActivation);
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    const std::int64_t at = first * f;
    if (gpt2)
      kernels::gelu(some * f, gate + at, work.act.data() + at);
    else
      kernels::swiglu(some * f, gate + at, up + at, work.act.data() + at);
  });
  backward_linear(pass, kept, {down, work.act.data(), dx, work.dact.data(), false});
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    const std::int64_t at = first * f;
    if (gpt2)
      kernels::gelu_backward(some * f, work.dact.data() + at, gate + at, work.dgate.data() + at);
    else
      kernels::swiglu_backward(some * f, work.dact.data() + at, gate + at, up + at,
                               work.dgate.data() + at, work.dup.data() + at);
  });
  apply_norm(layer.mlp_norm, pass.model.config.norm_eps, rows, middle, work.h.data(),
             work.small.data(), work.small.data() + rows);
  const std::size_t first_mlp = gpt2 ? 2 : 4;
  backward_linear(pass, kept, {first_mlp, work.h.data(), work.dgate.data(), work.dh.data(), false});
  if (!gpt2)
    backward_linear(pass, kept,
                    {first_mlp + 1, work.h.data(), work.dup.data(), work.dh.data(), true});
  backward_norm(layer.mlp_norm, rows, work.dh.data(), middle, kept.mean2.data(),
                kept.inverse2.data(), dx);
}

}  // namespace

void backward_block(const BlockPass& pass, const float* x, const KeptLayer& kept, bool input,
                    float* dx) {
  const ModelConfig& config = pass.model.config;
  const Layer& layer = pass.model.layers[static_cast<std::size_t>(pass.layer)];
  Workspace& work = pass.work;
  const std::int64_t rows = pass.shape.rows();
  const std::size_t o = pass.model.fused_qkv() ? 1 : 3;
  backward_mlp(pass, kept, kept.middle.get(work.middle.of(kept.middle.count())), dx);
  backward_linear(pass, kept,
                  {o, kept.mixed.get(work.mixed.data()), dx, work.dmixed.data(), false});
  attend_backward(pass, kept);
  rotate_rows(pass, config.heads, true, work.dq.data());
  rotate_rows(pass, config.kv_heads, true, work.dk.data());
  if (config.qk_norm) {
    backward_norm_heads(layer.q_norm, rows, config.heads, kept.raw_q.get(work.q.data()),
                        kept.inverse_q.data(), work.dq.data());
    backward_norm_heads(layer.k_norm, rows, config.kv_heads, kept.raw_k.get(work.k.data()),
                        kept.inverse_k.data(), work.dk.data());
  }
  apply_norm(layer.attention_norm, config.norm_eps, rows, x, work.h.data(), work.small.data(),
             work.small.data() + rows);
  float* dh = input ? work.dh.data() : nullptr;
  if (pass.model.fused_qkv()) {
    join_qkv(pass, rows);
    backward_linear(pass, kept, {0, work.h.data(), work.dqkv.data(), dh, false});
  } else {
    backward_linear(pass, kept, {0, work.h.data(), work.dq.data(), dh, false});
    backward_linear(pass, kept, {1, work.h.data(), work.dk.data(), dh, true});
    backward_linear(pass, kept, {2, work.h.data(), work.dv.data(), dh, true});
  }
  if (input)
    backward_norm(layer.attention_norm, rows, work.dh.data(), x, kept.mean1.data(),
                  kept.inverse1.data(), dx);
}

}  // namespace freshet
