#include <cstring>
#include <initializer_list>

#include "trainer/kernels/loops.h"
#include "trainer/kernels/timing.h"
#include "trainer/transformer/block.h"

namespace freshet {
namespace {

// What the backward of linears that read the same x works on.
struct Turn {
  std::size_t first;
  const float* x;                           // [N,I], what went in
  std::initializer_list<const float*> dys;  // [N,O] each
  float* dx;                                // [N,I]; null: not wanted
  // dys as products read them, where they were rounded already.
  std::initializer_list<const std::uint16_t*> halves = {};
};

// The gradients of the factors, and in work.u the rows [N,R] of each that flow on.
void backward_factors(const BlockPass& pass, const KeptLayer& kept, const Turn& turn) {
  const timing::Scope scope(timing::Kind::kLora);
  const Layer& layer = pass.model.layers[static_cast<std::size_t>(pass.layer)];
  const std::int64_t rows = pass.shape.rows();
  const int ranks = ranks_of(pass.lora, pass.layer, {turn.first, turn.dys.size()});
  const float* u = kept.u[turn.first].data();  // [N, ranks]
  float* du = pass.work.u.data();
  kernels::Outer outers[kReadersMax];
  std::size_t count = 0, index = turn.first;
  for (const float* dy : turn.dys) {
    const Linear& linear = layer.linears[index];
    const LoraFactor& factor = pass.lora.factor(pass.layer, index++);
    const std::int64_t in = linear.in(), out = linear.out();
    if (factor.rank > 0 && (factor.da != nullptr || turn.dx != nullptr)) {
      const kernels::Matrix b{kernels::Form::kF32, out, factor.rank, factor.b, nullptr};
      kernels::multiply({{rows, out, dy, nullptr}, b, true, nullptr, {}, false, du});
      for (std::int64_t i = 0; i < rows * factor.rank; ++i) du[i] *= factor.scale;
    }
    if (factor.da) outers[count++] = {rows, factor.rank, in, du, turn.x, 1.0f, true, factor.da};
    // Its transpose is computed, so that dy is read as it lies.
    if (factor.db)
      kernels::multiply_transposed(
          {rows, factor.rank, out, u, dy, 1.0f, true, factor.db, ranks, true});
    u += factor.rank;
    du += rows * factor.rank;
  }
  if (count > 0) kernels::multiply_transposed(std::span(outers, count));
}

void backward_linears(const BlockPass& pass, const KeptLayer& kept, const Turn& turn) {
  backward_factors(pass, kept, turn);
  if (turn.dx == nullptr) return;
  const Layer& layer = pass.model.layers[static_cast<std::size_t>(pass.layer)];
  const std::int64_t rows = pass.shape.rows();
  const float* du = pass.work.u.data();
  std::size_t index = turn.first;
  for (const float* dy : turn.dys) {
    const timing::Scope product(timing::Kind::kBackward, index);
    const Linear& linear = layer.linears[index];
    const LoraFactor& factor = pass.lora.factor(pass.layer, index);
    const std::size_t place = index++ - turn.first;
    const kernels::Operand from =
        turn.halves.size() > 0
            ? kernels::Operand{rows, linear.out(), dy, turn.halves.begin()[place]}
            : operand(pass.model, pass.work, dy, rows, linear.out());
    kernels::multiply({from,
                       linear.matrix,
                       !linear.by_input,
                       nullptr,
                       {du, factor.a, factor.rank, true},
                       place > 0,
                       turn.dx});
    du += rows * factor.rank;
  }
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

// As the heads saw it: in bf16 as it is kept, else f32.
const void* seen_by_heads(const BlockPass& pass, const Kept& kept, float* scratch) {
  return pass.model.bf16_heads() ? static_cast<const void*>(kept.halves()) : kept.get(scratch);
}

// work.dmixed -> work.dq, dk, dv; `mixed` is what attention gave.
void attend_backward(const BlockPass& pass, const KeptLayer& kept, const float* mixed) {
  const timing::Scope scope(timing::Kind::kAttention);
  const ModelConfig& config = pass.model.config;
  Workspace& work = pass.work;
  const int time = pass.shape.time;
  const void *q = seen_by_heads(pass, kept.q, work.q.data()),
             *k = seen_by_heads(pass, kept.k, work.k.data()),
             *v = seen_by_heads(pass, kept.v, work.v.data());
  const std::int64_t wide = std::int64_t{config.heads} * config.head_dim,
                     narrow = std::int64_t{config.kv_heads} * config.head_dim;
  const bool bf16 = pass.model.bf16_heads();
  set_first_seen(pass);
  over_heads(pass, [&](const kernels::AttentionShape& shape, std::int64_t s, int g, float* room) {
    const std::int64_t row = s * time;
    kernels::attention_backward(
        shape, g, work.dmixed.data() + row * wide, entry_at(q, row * wide, bf16),
        entry_at(k, row * narrow, bf16), entry_at(v, row * narrow, bf16), mixed + row * wide,
        kept.log_sum.data() + row * config.heads, work.dq.data() + row * wide,
        work.dk.data() + row * narrow, work.dv.data() + row * narrow, room);
  });
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

// work.act is made again, in f32.
void activate_again(const BlockPass& pass, const KeptLayer& kept) {
  const timing::Scope scope(timing::Kind::kActivation);
  Workspace& work = pass.work;
  const std::int64_t f = pass.model.config.intermediate_size;
  over_rows(pass.shape.rows(), [&](std::int64_t first, std::int64_t some) {
    const std::int64_t at = first * f, count = some * f;
    const float* gate = kept.gate.get(at, count, work.gate.data()) + at;
    if (pass.model.fused_qkv()) return kernels::gelu(count, gate, work.act.data() + at);
    const float* up = kept.up.get(at, count, work.up.data()) + at;
    kernels::swiglu(count, gate, up, work.act.data() + at);
  });
}

// work.dact -> work.dgate, work.dup, and in bf16 where `halves` are not null.
void activate_backward(const BlockPass& pass, const KeptLayer& kept, std::uint16_t* gate_halves,
                       std::uint16_t* up_halves) {
  const timing::Scope scope(timing::Kind::kActivation);
  Workspace& work = pass.work;
  const std::int64_t f = pass.model.config.intermediate_size;
  const bool gpt2 = pass.model.fused_qkv();
  const float* gate = kept.gate.halves() ? work.gate.data() : kept.gate.get(nullptr);
  const float* up = gpt2 || kept.up.halves() ? work.up.data() : kept.up.get(nullptr);
  over_rows(pass.shape.rows(), [&](std::int64_t first, std::int64_t some) {
    const std::int64_t at = first * f, count = some * f;
    float *dgate = work.dgate.data() + at, *dup = work.dup.data() + (gpt2 ? 0 : at);
    if (gpt2)
      kernels::gelu_backward(count, work.dact.data() + at, gate + at, dgate);
    else
      kernels::swiglu_backward(count, work.dact.data() + at, gate + at, up + at, dgate, dup);
    if (gate_halves) kernels::to_bf16(count, dgate, gate_halves + at);
    if (up_halves) kernels::to_bf16(count, dup, up_halves + at);
  });
}

// dx gains what flows through the MLP; middle is its input before the norm.
void backward_mlp(const BlockPass& pass, const KeptLayer& kept, const float* middle, float* dx) {
  const Layer& layer = pass.model.layers[static_cast<std::size_t>(pass.layer)];
  Workspace& work = pass.work;
  const std::int64_t rows = pass.shape.rows(), f = pass.model.config.intermediate_size;
  activate_again(pass, kept);
  backward_linears(pass, kept, {layer.linears.size() - 1, work.act.data(), {dx}, work.dact.data()});
  const bool gpt2 = pass.model.fused_qkv(), rounded = pass.model.bf16_products() && f % 2 == 0;
  std::uint16_t* gate_halves = rounded ? work.halves.data() : nullptr;
  std::uint16_t* up_halves =
      rounded && !gpt2 ? work.more_halves.of(static_cast<std::size_t>(rows * f)) : nullptr;
  activate_backward(pass, kept, gate_halves, up_halves);
  apply_norm(layer.mlp_norm, pass.model.config.norm_eps, rows, middle, work.h.data(),
             work.small.data(), work.small.data() + rows);
  const float *h = work.h.data(), *dgate = work.dgate.data(), *dup = work.dup.data();
  float* dh = work.dh.data();
  if (gpt2 && rounded)
    backward_linears(pass, kept, {2, h, {dgate}, dh, {gate_halves}});
  else if (gpt2)
    backward_linears(pass, kept, {2, h, {dgate}, dh});
  else if (rounded)
    backward_linears(pass, kept, {4, h, {dgate, dup}, dh, {gate_halves, up_halves}});
  else
    backward_linears(pass, kept, {4, h, {dgate, dup}, dh});
  backward_norm(layer.mlp_norm, rows, dh, middle, kept.mean2.data(), kept.inverse2.data(), dx);
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
  const float* mixed = kept.mixed.get(work.mixed.data());
  backward_linears(pass, kept, {o, mixed, {dx}, work.dmixed.data()});
  attend_backward(pass, kept, mixed);
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
    backward_linears(pass, kept, {0, work.h.data(), {work.dqkv.data()}, dh});
  } else {
    backward_linears(pass, kept,
                     {0, work.h.data(), {work.dq.data(), work.dk.data(), work.dv.data()}, dh});
  }
  if (input)
    backward_norm(layer.attention_norm, rows, work.dh.data(), x, kept.mean1.data(),
                  kept.inverse1.data(), dx);
}

}  // namespace freshet
