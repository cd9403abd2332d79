#include <algorithm>
#include <cstring>

#include "trainer/kernels/loops.h"
#include "trainer/kernels/timing.h"
#include "trainer/transformer/block.h"

namespace freshet {
namespace {

std::size_t count_of(std::int64_t rows, std::int64_t columns) {
  return static_cast<std::size_t>(rows * columns);
}

// y = x W^T + bias + u B^T, u = scale x A^T, which is kept where `u_kept` is not null.
void project(const BlockPass& pass, std::size_t index, const kernels::Operand& x, bool accumulate,
             float* y, float* u_kept) {
  const Linear& linear = pass.model.layers[static_cast<std::size_t>(pass.layer)].linears[index];
  const LoraFactor& factor = pass.lora.factor(pass.layer, index);
  float* u = u_kept ? u_kept : pass.work.u.data();
  if (factor.rank > 0) {
    const timing::Scope scope(timing::Kind::kLora);
    const kernels::Matrix a{kernels::Form::kF32, factor.rank, x.columns, factor.a, nullptr};
    kernels::multiply(
        {{x.rows, x.columns, x.f32, nullptr}, a, false, nullptr, {}, false, u});  // [N,R]
    for (std::int64_t i = 0; i < x.rows * factor.rank; ++i) u[i] *= factor.scale;
  }
  const timing::Scope scope(timing::Kind::kForward, index);
  kernels::multiply({x,
                     linear.matrix,
                     linear.by_input,
                     linear.bias.empty() ? nullptr : linear.bias.data(),
                     {u, factor.b, factor.rank, false},
                     accumulate,
                     y});
}

// Where the heads' inputs and output stand.
struct Heads {
  float *q, *k, *v, *mixed;
};

// qkv [N, H*D + 2*G*D] -> q, k, v
void split_qkv(const BlockPass& pass, const Heads& heads, std::int64_t rows) {
  const ModelConfig& config = pass.model.config;
  const std::int64_t q = std::int64_t{config.heads} * config.head_dim,
                     kv = std::int64_t{config.kv_heads} * config.head_dim;
  Workspace& work = pass.work;
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    for (std::int64_t n = first; n < first + some; ++n) {
      const float* from = work.qkv.data() + n * (q + 2 * kv);
      std::memcpy(heads.q + n * q, from, count_of(q, 4));
      std::memcpy(heads.k + n * kv, from + q, count_of(kv, 4));
      std::memcpy(heads.v + n * kv, from + q + kv, count_of(kv, 4));
    }
  });
}

void norm_heads(const std::vector<float>& weight, float eps, std::int64_t rows, int heads, float* x,
                float* inverse) {
  const timing::Scope scope(timing::Kind::kNorm);
  const int dim = static_cast<int>(weight.size());
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    std::vector<float> out(static_cast<std::size_t>(some * heads * dim));
    kernels::rms_norm({some * heads, dim}, eps, x + first * heads * dim, weight.data(), out.data(),
                      inverse + first * heads);
    std::memcpy(x + first * heads * dim, out.data(), out.size() * sizeof(float));
  });
}

void attend(const BlockPass& pass, const Heads& heads, float* log_sum) {
  const timing::Scope scope(timing::Kind::kAttention);
  const ModelConfig& config = pass.model.config;
  Workspace& work = pass.work;
  const int time = pass.shape.time;
  const std::int64_t q = std::int64_t{time} * config.heads * config.head_dim,
                     kv = std::int64_t{time} * config.kv_heads * config.head_dim;
  const std::int64_t tasks = std::int64_t{pass.shape.sequences} * config.kv_heads;
#pragma omp parallel
  {
    kernels::AttentionShape shape{time, config.heads, config.kv_heads, config.head_dim, nullptr};
    float* scratch = attention_room(shape);
#pragma omp for schedule(dynamic)
    for (std::int64_t task = 0; task < tasks; ++task) {
      const std::int64_t s = task / config.kv_heads;
      shape.first_seen = work.first_seen.empty() ? nullptr : work.first_seen.data() + s * time;
      kernels::attention(shape, static_cast<int>(task % config.kv_heads), heads.q + s * q,
                         heads.k + s * kv, heads.v + s * kv, heads.mixed + s * q,
                         log_sum + s * config.heads * time, scratch);
    }
  }
}

// What the heads see is rounded where products are made of bf16, so that backward, which finds it
// rounded, makes the same probabilities again, however large the scores.
void round_rows(const BlockPass& pass, std::int64_t columns, float* values) {
  if (!pass.model.bf16_products()) return;
  std::uint16_t* halves = pass.work.halves.data();
  over_rows(pass.shape.rows(), [&](std::int64_t first, std::int64_t some) {
    kernels::to_bf16(some * columns, values + first * columns, halves + first * columns);
    kernels::from_bf16(some * columns, halves + first * columns, values + first * columns);
  });
}

}  // namespace

float* attention_room(const kernels::AttentionShape& shape) {
  thread_local Room<float> room;
  return room.of(static_cast<std::size_t>(kernels::attention_scratch(shape)));
}

Kept::Kept(std::int64_t count, bool bf16)
    : count_(count),
      f32_(bf16 ? 0 : static_cast<std::size_t>(count)),
      bf16_(bf16 ? static_cast<std::size_t>(count) : 0) {}

void Kept::put(const float* values) {
  if (values == f32_.data()) return;
  const timing::Scope scope(timing::Kind::kKept);
  if (!f32_.empty())
    return over_rows(count_ / 32 + 1, [&](std::int64_t first, std::int64_t some) {
      const std::int64_t end = std::min(count_, (first + some) * 32);
      if (end > first * 32)
        std::memcpy(f32_.data() + first * 32, values + first * 32,
                    static_cast<std::size_t>(end - first * 32) * 4);
    });
  over_rows(count_ / 32 + 1, [&](std::int64_t first, std::int64_t some) {
    const std::int64_t end = std::min(count_, (first + some) * 32);
    if (end > first * 32)
      kernels::to_bf16(end - first * 32, values + first * 32, bf16_.data() + first * 32);
  });
}

const float* Kept::get(float* scratch) const {
  if (!f32_.empty()) return f32_.data();
  const timing::Scope scope(timing::Kind::kKept);
  over_rows(count_ / 32 + 1, [&](std::int64_t first, std::int64_t some) {
    const std::int64_t end = std::min(count_, (first + some) * 32);
    if (end > first * 32)
      kernels::from_bf16(end - first * 32, bf16_.data() + first * 32, scratch + first * 32);
  });
  return scratch;
}

KeptLayer::KeptLayer(const Transformer& model, std::int64_t rows, const Lora& lora, int layer,
                     bool bf16) {
  const ModelConfig& config = model.config;
  const std::int64_t wide = std::int64_t{config.heads} * config.head_dim,
                     narrow = std::int64_t{config.kv_heads} * config.head_dim;
  q = Kept(rows * wide, bf16);
  k = Kept(rows * narrow, bf16);
  v = Kept(rows * narrow, bf16);
  mixed = Kept(rows * wide, bf16);
  middle = Kept(rows * config.hidden_size, bf16);
  gate = Kept(rows * config.intermediate_size, bf16);
  if (!model.fused_qkv()) up = Kept(rows * config.intermediate_size, bf16);
  if (config.qk_norm) {
    raw_q = Kept(rows * wide, bf16);
    raw_k = Kept(rows * narrow, bf16);
    inverse_q = Memory<float>(count_of(rows, config.heads));
    inverse_k = Memory<float>(count_of(rows, config.kv_heads));
  }
  const auto each = static_cast<std::size_t>(rows);
  inverse1 = Memory<float>(each);
  mean1 = Memory<float>(each);
  inverse2 = Memory<float>(each);
  mean2 = Memory<float>(each);
  log_sum = Memory<float>(count_of(rows, config.heads));
  for (std::size_t i = 0; i < model.layers.front().linears.size(); ++i)
    u.emplace_back(count_of(rows, layer < 0 ? lora.rank_max() : lora.factor(layer, i).rank));
}

Workspace::Workspace(const Transformer& model, const Lora& lora, std::int64_t rows, bool backward) {
  const ModelConfig& config = model.config;
  const std::int64_t c = config.hidden_size, f = config.intermediate_size;
  const std::int64_t wide = std::int64_t{config.heads} * config.head_dim,
                     narrow = std::int64_t{config.kv_heads} * config.head_dim;
  const auto floats = [&](std::int64_t columns) { return Memory<float>(count_of(rows, columns)); };
  const bool gpt2 = model.fused_qkv();
  h = floats(c);
  qkv = floats(gpt2 ? wide + 2 * narrow : 0);
  q = floats(wide);
  k = floats(narrow);
  v = floats(narrow);
  mixed = floats(wide);
  gate = floats(f);
  up = floats(gpt2 ? 0 : f);
  act = floats(f);
  u = floats(lora.rank_max());
  small = floats(std::max(config.heads, 2));
  if (model.bf16_products())
    halves = Memory<std::uint16_t>(count_of(rows, std::max({c, f, wide, wide + 2 * narrow}) + 1));
  if (!backward) return;
  dh = floats(c);
  dqkv = floats(gpt2 ? wide + 2 * narrow : 0);
  dq = floats(wide);
  dk = floats(narrow);
  dv = floats(narrow);
  dmixed = floats(wide);
  dgate = floats(f);
  dup = floats(gpt2 ? 0 : f);
  dact = floats(f);
}

void rotate_rows(const BlockPass& pass, int heads, bool inverse, float* x) {
  const timing::Scope scope(timing::Kind::kRotation);
  const Workspace& work = pass.work;
  if (work.rotary.cosine.empty()) return;
  const PassShape& shape = pass.shape;
  over_rows(shape.rows(), [&](std::int64_t first, std::int64_t some) {
    for (std::int64_t n = first; n < first + some; ++n) {
      const int position = shape.positions ? shape.positions[n] : static_cast<int>(n % shape.time);
      kernels::rotate(1, heads, pass.model.config.head_dim, &position, work.rotary.cosine.data(),
                      work.rotary.sine.data(), inverse, x + n * heads * pass.model.config.head_dim);
    }
  });
}

kernels::Operand operand(const Transformer& model, std::uint16_t* halves, const float* values,
                         std::int64_t rows, std::int64_t columns) {
  if (!model.bf16_products()) return {rows, columns, values, nullptr};
  const timing::Scope scope(timing::Kind::kRounding);
  const std::int64_t padded = (columns + 1) / 2 * 2;
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    if (padded == columns)
      return kernels::to_bf16(some * columns, values + first * columns, halves + first * columns);
    for (std::int64_t n = first; n < first + some; ++n) {
      kernels::to_bf16(columns, values + n * columns, halves + n * padded);
      halves[n * padded + columns] = 0;
    }
  });
  return {rows, columns, values, halves};
}

kernels::Operand operand(const Transformer& model, Workspace& work, const float* values,
                         std::int64_t rows, std::int64_t columns) {
  return operand(model, work.halves.data(), values, rows, columns);
}

void apply_norm(const Norm& norm, float eps, std::int64_t rows, const float* x, float* out,
                float* mean, float* inverse) {
  const timing::Scope scope(timing::Kind::kNorm);
  const int columns = static_cast<int>(norm.weight.size());
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    const std::int64_t at = first * columns;
    if (norm.bias.empty())
      return kernels::rms_norm({some, columns}, eps, x + at, norm.weight.data(), out + at,
                               inverse + first);
    kernels::layer_norm({some, columns}, eps, x + at, norm.weight.data(), norm.bias.data(),
                        out + at, mean + first, inverse + first);
  });
}

void set_first_seen(const BlockPass& pass) {
  const int window = pass.model.config.window_of(pass.layer), time = pass.shape.time;
  std::vector<int>& seen = pass.work.first_seen;
  if (pass.shape.first_seen == nullptr && (window == 0 || window >= time)) return seen.clear();
  seen.resize(static_cast<std::size_t>(pass.shape.rows()));
  for (std::size_t n = 0; n < seen.size(); ++n) {
    const int place = static_cast<int>(n % static_cast<std::size_t>(time));
    seen[n] = std::max(pass.shape.first_seen ? pass.shape.first_seen[n] : 0,
                       window > 0 ? place - window + 1 : 0);
  }
}

void forward_block(const BlockPass& pass, float* x, KeptLayer* kept) {
  const Transformer& model = pass.model;
  const ModelConfig& config = model.config;
  const Layer& layer = model.layers[static_cast<std::size_t>(pass.layer)];
  Workspace& work = pass.work;
  const std::int64_t rows = pass.shape.rows(), c = config.hidden_size, f = config.intermediate_size;
  const std::int64_t wide = std::int64_t{config.heads} * config.head_dim;
  const auto u_of = [&](std::size_t index) {
    return kept && !kept->u[index].empty() ? kept->u[index].data() : nullptr;
  };
  float* spare = kept ? nullptr : work.spare.of(count_of(rows, 2 + config.heads));
  float* mean = kept ? kept->mean1.data() : spare;
  float* inverse = kept ? kept->inverse1.data() : spare + rows;

  apply_norm(layer.attention_norm, config.norm_eps, rows, x, work.h.data(), mean, inverse);
  kernels::Operand h = operand(model, work, work.h.data(), rows, c);
  const Heads heads = {kept ? kept->q.target(work.q.data()) : work.q.data(),
                       kept ? kept->k.target(work.k.data()) : work.k.data(),
                       kept ? kept->v.target(work.v.data()) : work.v.data(),
                       kept ? kept->mixed.target(work.mixed.data()) : work.mixed.data()};
  if (model.fused_qkv()) {
    project(pass, 0, h, false, work.qkv.data(), u_of(0));
    split_qkv(pass, heads, rows);
  } else {
    project(pass, 0, h, false, heads.q, u_of(0));
    project(pass, 1, h, false, heads.k, u_of(1));
    project(pass, 2, h, false, heads.v, u_of(2));
  }
  if (config.qk_norm) {
    if (kept) kept->raw_q.put(heads.q);
    if (kept) kept->raw_k.put(heads.k);
    norm_heads(layer.q_norm, config.norm_eps, rows, config.heads, heads.q,
               kept ? kept->inverse_q.data() : work.small.data());
    norm_heads(layer.k_norm, config.norm_eps, rows, config.kv_heads, heads.k,
               kept ? kept->inverse_k.data() : work.small.data());
  }
  rotate_rows(pass, config.heads, false, heads.q);
  rotate_rows(pass, config.kv_heads, false, heads.k);
  round_rows(pass, wide, heads.q);
  round_rows(pass, std::int64_t{config.kv_heads} * config.head_dim, heads.k);
  round_rows(pass, std::int64_t{config.kv_heads} * config.head_dim, heads.v);
  set_first_seen(pass);
  attend(pass, heads, kept ? kept->log_sum.data() : spare + 2 * rows);
  if (kept) {
    kept->q.put(heads.q);
    kept->k.put(heads.k);
    kept->v.put(heads.v);
    kept->mixed.put(heads.mixed);
  }
  const std::size_t o = model.fused_qkv() ? 1 : 3;
  project(pass, o, operand(model, work, heads.mixed, rows, wide), true, x, u_of(o));
  if (kept) kept->middle.put(x);

  apply_norm(layer.mlp_norm, config.norm_eps, rows, x, work.h.data(),
             kept ? kept->mean2.data() : mean, kept ? kept->inverse2.data() : inverse);
  h = operand(model, work, work.h.data(), rows, c);
  float* gate = kept ? kept->gate.target(work.gate.data()) : work.gate.data();
  project(pass, o + 1, h, false, gate, u_of(o + 1));
  if (kept) kept->gate.put(gate);
  if (model.fused_qkv()) {
    const timing::Scope scope(timing::Kind::kActivation);
    over_rows(rows, [&](std::int64_t first, std::int64_t some) {
      kernels::gelu(some * f, gate + first * f, work.act.data() + first * f);
    });
  } else {
    float* up = kept ? kept->up.target(work.up.data()) : work.up.data();
    project(pass, o + 2, h, false, up, u_of(o + 2));
    if (kept) kept->up.put(up);
    const timing::Scope scope(timing::Kind::kActivation);
    over_rows(rows, [&](std::int64_t first, std::int64_t some) {
      kernels::swiglu(some * f, gate + first * f, up + first * f, work.act.data() + first * f);
    });
  }
  const std::size_t down = layer.linears.size() - 1;
  project(pass, down, operand(model, work, work.act.data(), rows, f), true, x, u_of(down));
}

}  // namespace freshet
