#include <algorithm>
#include <cstring>

#include "trainer/kernels/loops.h"
#include "trainer/kernels/timing.h"
#include "trainer/transformer/block.h"

namespace freshet {
namespace {

// y = x W^T + bias + u B^T, u = scale x A^T, of the linears from `first` on that read the same x,
// one for each of `ys`.
void project(const BlockPass& pass, std::size_t first, const kernels::Operand& x, bool accumulate,
             std::initializer_list<float*> ys, KeptLayer* kept) {
  const Layer& layer = pass.model.layers[static_cast<std::size_t>(pass.layer)];
  const int ranks = ranks_of(pass.lora, pass.layer, {first, ys.size()});
  float* u = kept ? kept->u[first].data() : pass.work.u.data();
  if (ranks > 0) {
    const timing::Scope scope(timing::Kind::kLora);
    float* stacked = pass.work.stacked.of(count_of(ranks, x.columns));  // [R,I]
    float* to = stacked;
    for (std::size_t i = first; i < first + ys.size(); ++i) {
      const LoraFactor& factor = pass.lora.factor(pass.layer, i);
      const std::int64_t count = factor.rank * x.columns;
      for (std::int64_t j = 0; j < count; ++j) to[j] = factor.scale * factor.a[j];
      to += count;
    }
    const kernels::Matrix a{kernels::Form::kF32, ranks, x.columns, stacked, nullptr};
    kernels::multiply(
        {{x.rows, x.columns, x.f32, nullptr}, a, false, nullptr, {}, false, u});  // [N,R]
  }
  std::size_t index = first;
  for (float* y : ys) {
    const timing::Scope scope(timing::Kind::kForward, index);
    const Linear& linear = layer.linears[index];
    const LoraFactor& factor = pass.lora.factor(pass.layer, index++);
    kernels::multiply({x,
                       linear.matrix,
                       linear.by_input,
                       linear.bias.empty() ? nullptr : linear.bias.data(),
                       {u, factor.b, factor.rank, false, ranks},
                       accumulate,
                       y});
    u += factor.rank;
  }
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

// What the heads see is rounded where products are made of bf16, so that backward, which finds it
// rounded, makes the same probabilities again, however large the scores.
const void* seen_by_heads(const BlockPass& pass, Kept* kept, Room<std::uint16_t>& room,
                          std::int64_t columns, float* values) {
  const std::int64_t rows = pass.shape.rows();
  if (kept) kept->put(values);
  if (!pass.model.bf16_heads()) return kept ? kept->get(values) : values;
  if (kept) return kept->halves();
  std::uint16_t* to = room.of(count_of(rows, columns));
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    kernels::to_bf16(some * columns, values + first * columns, to + first * columns);
  });
  return to;
}

void attend(const BlockPass& pass, const Heads& heads, KeptLayer* kept, float* log_sum) {
  const timing::Scope scope(timing::Kind::kAttention);
  const ModelConfig& config = pass.model.config;
  Workspace& work = pass.work;
  const int time = pass.shape.time;
  const std::int64_t wide = std::int64_t{config.heads} * config.head_dim,
                     narrow = std::int64_t{config.kv_heads} * config.head_dim;
  const bool bf16 = pass.model.bf16_heads();
  const void* q = seen_by_heads(pass, kept ? &kept->q : nullptr, work.seen_q, wide, heads.q);
  const void* k = seen_by_heads(pass, kept ? &kept->k : nullptr, work.seen_k, narrow, heads.k);
  const void* v = seen_by_heads(pass, kept ? &kept->v : nullptr, work.seen_v, narrow, heads.v);
  set_first_seen(pass);
  over_heads(pass, [&](const kernels::AttentionShape& shape, std::int64_t s, int g, float* room) {
    const std::int64_t row = s * time;
    kernels::attention(shape, g, entry_at(q, row * wide, bf16), entry_at(k, row * narrow, bf16),
                       entry_at(v, row * narrow, bf16), heads.mixed + row * wide,
                       log_sum + row * config.heads, room);
  });
}

}  // namespace

float* attention_room(const kernels::AttentionShape& shape) {
  thread_local Room<float> room;
  return room.of(static_cast<std::size_t>(kernels::attention_scratch(shape)));
}

const void* entry_at(const void* values, std::int64_t index, bool bf16) {
  return static_cast<const char*>(values) + index * (bf16 ? 2 : 4);
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
                float* mean, float* inverse, std::uint16_t* halves) {
  const timing::Scope scope(timing::Kind::kNorm);
  const int columns = static_cast<int>(norm.weight.size());
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    const std::int64_t at = first * columns;
    if (norm.bias.empty())
      kernels::rms_norm({some, columns}, eps, x + at, norm.weight.data(), out + at,
                        inverse + first);
    else
      kernels::layer_norm({some, columns}, eps, x + at, norm.weight.data(), norm.bias.data(),
                          out + at, mean + first, inverse + first);
    if (halves) kernels::to_bf16(some * columns, out + at, halves + at);
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

Readers readers_with(const Transformer& model, std::size_t linear) {
  if (model.fused_qkv()) return {linear, 1};
  if (linear < 3) return {0, 3};  // q, k, v
  if (linear == 3) return {3, 1};
  return linear < 6 ? Readers{4, 2} : Readers{6, 1};  // gate, up
}

int ranks_of(const Lora& lora, int layer, const Readers& readers) {
  int sum = 0;
  for (std::size_t i = readers.first; i < readers.first + readers.count; ++i)
    sum += lora.factor(layer, i).rank;
  return sum;
}

namespace {

// Room for an operand in bf16 that is rounded while its values are made; null where it is not.
std::uint16_t* rounded_at_once(const BlockPass& pass, std::int64_t columns) {
  return pass.model.bf16_products() && columns % 2 == 0 ? pass.work.halves.data() : nullptr;
}

kernels::Operand normed(const BlockPass& pass, const Norm& norm, const float* x, float* mean,
                        float* inverse) {
  const std::int64_t rows = pass.shape.rows(), c = pass.model.config.hidden_size;
  std::uint16_t* halves = rounded_at_once(pass, c);
  float* h = pass.work.h.data();
  apply_norm(norm, pass.model.config.norm_eps, rows, x, h, mean, inverse, halves);
  return halves ? kernels::Operand{rows, c, h, halves} : operand(pass.model, pass.work, h, rows, c);
}

// gelu(gate), or silu(gate) * up; what is kept of the two is kept.
kernels::Operand activated(const BlockPass& pass, KeptLayer* kept, const float* gate,
                           const float* up) {
  const timing::Scope scope(timing::Kind::kActivation);
  const std::int64_t rows = pass.shape.rows(), f = pass.model.config.intermediate_size;
  std::uint16_t* halves = rounded_at_once(pass, f);
  float* act = pass.work.act.data();
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    const std::int64_t at = first * f, count = some * f;
    if (kept) kept->gate.put(at, count, gate);
    if (kept && up) kept->up.put(at, count, up);
    if (up)
      kernels::swiglu(count, gate + at, up + at, act + at);
    else
      kernels::gelu(count, gate + at, act + at);
    if (halves) kernels::to_bf16(count, act + at, halves + at);
  });
  return halves ? kernels::Operand{rows, f, act, halves}
                : operand(pass.model, pass.work, act, rows, f);
}

// What the heads gave, as the next product reads it and as it is kept.
kernels::Operand mixed_operand(const BlockPass& pass, KeptLayer* kept, const float* mixed) {
  const ModelConfig& config = pass.model.config;
  const std::int64_t rows = pass.shape.rows(), wide = std::int64_t{config.heads} * config.head_dim;
  if (kept) kept->mixed.put(mixed);
  if (kept && kept->mixed.halves() && wide % 2 == 0)
    return {rows, wide, mixed, kept->mixed.halves()};
  return operand(pass.model, pass.work, mixed, rows, wide);
}

}  // namespace

void forward_block(const BlockPass& pass, float* x, KeptLayer* kept) {
  const Transformer& model = pass.model;
  const ModelConfig& config = model.config;
  const Layer& layer = model.layers[static_cast<std::size_t>(pass.layer)];
  Workspace& work = pass.work;
  const std::int64_t rows = pass.shape.rows();
  float* spare = kept ? nullptr : work.spare.of(count_of(rows, 2 + config.heads));
  float* mean = kept ? kept->mean1.data() : spare;
  float* inverse = kept ? kept->inverse1.data() : spare + rows;

  kernels::Operand h = normed(pass, layer.attention_norm, x, mean, inverse);
  const Heads heads = {kept ? kept->q.target(work.q.data()) : work.q.data(),
                       kept ? kept->k.target(work.k.data()) : work.k.data(),
                       kept ? kept->v.target(work.v.data()) : work.v.data(),
                       kept ? kept->mixed.target(work.mixed.data()) : work.mixed.data()};
  if (model.fused_qkv()) {
    project(pass, 0, h, false, {work.qkv.data()}, kept);
    split_qkv(pass, heads, rows);
  } else {
    project(pass, 0, h, false, {heads.q, heads.k, heads.v}, kept);
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
  attend(pass, heads, kept, kept ? kept->log_sum.data() : spare + 2 * rows);
  const std::size_t o = model.fused_qkv() ? 1 : 3;
  project(pass, o, mixed_operand(pass, kept, heads.mixed), true, {x}, kept);
  if (kept) kept->middle.put(x);

  h = normed(pass, layer.mlp_norm, x, kept ? kept->mean2.data() : mean,
             kept ? kept->inverse2.data() : inverse);
  float* gate = kept ? kept->gate.target(work.gate.data()) : work.gate.data();
  float* up = model.fused_qkv() ? nullptr : kept ? kept->up.target(work.up.data()) : work.up.data();
  if (up)
    project(pass, o + 1, h, false, {gate, up}, kept);
  else
    project(pass, o + 1, h, false, {gate}, kept);
  project(pass, layer.linears.size() - 1, activated(pass, kept, gate, up), true, {x}, kept);
}

}  // namespace freshet
