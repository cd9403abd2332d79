#include "trainer/transformer/decoder.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "trainer/kernels/few_rows.h"
#include "trainer/kernels/loops.h"
#include "trainer/transformer/head.h"
#include "trainer/transformer/memory.h"

namespace freshet {
namespace {

constexpr int kRowsMax = 256;  // of a prompt that go through the layers together
constexpr int kBlock = 16;     // positions that a store holds together
// What is not worth a second thread: fewer rows, or fewer entries of the keys that all heads see.
constexpr int kSerialRows = 4;
constexpr std::int64_t kAloneEntries = 256 * 1024;

int rows_for(int positions) { return std::min(positions, kRowsMax); }
}  // namespace

Decoder::Decoder(const Transformer& model, const Lora& lora, int positions)
    : model_(model),
      lora_(lora),
      positions_(positions),
      work_(model, lora, rows_for(positions), false),
      rotary_(make_rotary(model.config, positions)),
      x_(count_of(rows_for(positions), model.config.hidden_size)),
      u_(count_of(3 * rows_for(positions), lora.rank_max())),
      logits_(static_cast<std::size_t>(model.config.vocab_size)) {
  const ModelConfig& config = model.config;
  CHECK(positions > 0 && positions <= config.max_positions, "{} positions of {}", positions,
        config.max_positions);
  const bool bf16 = model.bf16_products();
  const std::size_t entry = bf16 ? 2 : 4;
  for (int l = 0; l < config.layers; ++l) {
    kernels::KvStore store{(positions + kBlock - 1) / kBlock * kBlock, config.kv_heads,
                           config.head_dim, bf16};
    Memory<std::uint8_t> keys(static_cast<std::size_t>(kernels::key_entries(store)) *
                              entry);  // mapped: zeros
    Memory<std::uint8_t> values(static_cast<std::size_t>(kernels::value_entries(store)) * entry);
    store.keys = keys.data();
    store.values = values.data();
    kept_.push_back(std::move(keys));
    kept_.push_back(std::move(values));
    stores_.push_back(store);
  }
}

Result<const float*> Decoder::feed(std::span<const TokenId> ids) {
  if (ids.empty()) return fail(Code::kBadInput, "there is no token to continue: give at least one");
  if (ids.size() > static_cast<std::size_t>(positions_ - length_))
    return fail(Code::kBadInput, std::to_string(length_ + static_cast<std::int64_t>(ids.size())) +
                                     " tokens do not fit: there is room for " +
                                     std::to_string(positions_) + " of the model's " +
                                     std::to_string(model_.config.max_positions) + " positions");
  for (const TokenId id : ids)
    if (id < 0 || id >= model_.config.vocab_size)
      return fail(Code::kBadInput, "id " + std::to_string(id) +
                                       " is not in the model's vocabulary of " +
                                       std::to_string(model_.config.vocab_size));
  for (std::size_t first = 0; first < ids.size(); first += kRowsMax)
    run(ids.subspan(first, std::min<std::size_t>(kRowsMax, ids.size() - first)));
  const std::size_t last = (ids.size() - 1) % kRowsMax;
  Head::logits(model_, 1,
               x_.data() + count_of(static_cast<std::int64_t>(last), model_.config.hidden_size),
               logits_.data());
  return logits_.data();
}

void Decoder::rewind(int length) {
  CHECK(length >= 0 && length <= length_, "{} of {}", length, length_);
  length_ = length;
}

void Decoder::run(std::span<const TokenId> ids) {
  embed(ids);
  for (int l = 0; l < model_.config.layers; ++l) run_layer(l, static_cast<int>(ids.size()));
  length_ += static_cast<int>(ids.size());
}

void Decoder::embed(std::span<const TokenId> ids) {
  const std::int64_t c = model_.config.hidden_size;
  for (std::size_t n = 0; n < ids.size(); ++n) {
    float* x = x_.data() + static_cast<std::int64_t>(n) * c;
    kernels::read_row(model_.embedding, ids[n], 0, c, x);
    if (model_.positions.empty()) continue;
    const float* learned = model_.positions.data() + (length_ + static_cast<std::int64_t>(n)) * c;
    for (std::int64_t i = 0; i < c; ++i) x[i] += learned[i];
  }
}

void Decoder::run_layer(int index, int rows) {
  const ModelConfig& config = model_.config;
  const Layer& layer = model_.layers[static_cast<std::size_t>(index)];
  const std::int64_t c = config.hidden_size, f = config.intermediate_size,
                     wide = std::int64_t{config.heads} * config.head_dim;
  const std::size_t o = model_.fused_qkv() ? 1 : 3;
  float* spare = work_.spare.of(count_of(rows, 2));
  float *gate = work_.gate.data(), *up = work_.up.data(), *act = work_.act.data();

  apply_norm(layer.attention_norm, config.norm_eps, rows, x_.data(), work_.h.data(), spare,
             spare + rows);
  attend(index, rows);
  const Step out{o, x_.data(), true};
  project(index, operand(model_, work_, work_.mixed.data(), rows, wide), {&out, 1});

  apply_norm(layer.mlp_norm, config.norm_eps, rows, x_.data(), work_.h.data(), spare, spare + rows);
  const kernels::Operand h = operand(model_, work_, work_.h.data(), rows, c);
  const std::array<Step, 2> gate_up = {Step{o + 1, gate}, Step{o + 2, up}};
  project(index, h, std::span(gate_up).first(model_.fused_qkv() ? 1 : 2));
  over_rows(rows, [&](std::int64_t first, std::int64_t some) {
    if (model_.fused_qkv()) return kernels::gelu(some * f, gate + first * f, act + first * f);
    kernels::swiglu(some * f, gate + first * f, up + first * f, act + first * f);
  });
  const Step down{layer.linears.size() - 1, x_.data(), true};
  project(index, operand(model_, work_, act, rows, f), {&down, 1});
}

// y = x W^T + bias + u B^T, u = scale x A^T
void Decoder::project(int layer, const kernels::Operand& x, std::span<const Step> steps) {
  std::array<kernels::Product, 3> shrunk, grown;
  std::size_t adapted = 0, all = 0;
  float* u = u_.data();
  for (const Step& step : steps) {
    const Linear& linear = model_.layers[static_cast<std::size_t>(layer)].linears[step.linear];
    const LoraFactor& factor = lora_.factor(layer, step.linear);
    grown[all++] = {x,
                    linear.matrix,
                    linear.by_input,
                    linear.bias.empty() ? nullptr : linear.bias.data(),
                    {u, factor.b, factor.rank, false},
                    step.accumulate,
                    step.y};
    if (factor.rank == 0) continue;
    const kernels::Matrix a{kernels::Form::kF32, factor.rank, x.columns, factor.a, nullptr};
    shrunk[adapted++] = {{x.rows, x.columns, x.f32, nullptr}, a, false, nullptr, {}, false, u};
    u += x.rows * factor.rank;
  }
  kernels::multiply_all(std::span(shrunk).first(adapted));
  for (const Step& step : steps) {
    const LoraFactor& factor = lora_.factor(layer, step.linear);
    auto* of = const_cast<float*>(grown[static_cast<std::size_t>(&step - steps.data())].low.u);
    for (std::int64_t i = 0; i < x.rows * factor.rank; ++i) of[i] *= factor.scale;
  }
  kernels::multiply_all(std::span(grown).first(all));
}

Decoder::Rows Decoder::make_rows(int layer, int rows) {
  const ModelConfig& config = model_.config;
  const std::int64_t wide = std::int64_t{config.heads} * config.head_dim,
                     narrow = std::int64_t{config.kv_heads} * config.head_dim;
  const kernels::Operand h = operand(model_, work_, work_.h.data(), rows, config.hidden_size);
  if (model_.fused_qkv()) {
    float* qkv = work_.qkv.data();  // [N, H*D + 2*G*D]
    const Step step{0, qkv};
    project(layer, h, {&step, 1});
    return {qkv, qkv + wide, qkv + wide + narrow, wide + 2 * narrow, wide + 2 * narrow};
  }
  const std::array<Step, 3> steps = {Step{0, work_.q.data()}, Step{1, work_.k.data()},
                                     Step{2, work_.v.data()}};
  project(layer, h, steps);
  return {work_.q.data(), work_.k.data(), work_.v.data(), wide, narrow};
}

// Norms of the heads, rotation, and the row's keys and values into the store.
void Decoder::turn_and_keep(int layer, int row, const Rows& at) {
  const ModelConfig& config = model_.config;
  const Layer& weights = model_.layers[static_cast<std::size_t>(layer)];
  float *q = at.q + row * at.q_stride, *k = at.k + row * at.kv_stride;
  const int position = length_ + row, dim = config.head_dim;
  if (config.qk_norm) {
    const std::int64_t wide = std::int64_t{config.heads} * dim;
    std::vector<float> out(static_cast<std::size_t>(wide)),
        inverse(static_cast<std::size_t>(config.heads));
    kernels::rms_norm({config.heads, dim}, config.norm_eps, q, weights.q_norm.data(), out.data(),
                      inverse.data());
    std::copy_n(out.data(), wide, q);
    kernels::rms_norm({config.kv_heads, dim}, config.norm_eps, k, weights.k_norm.data(), out.data(),
                      inverse.data());
    std::copy_n(out.data(), std::int64_t{config.kv_heads} * dim, k);
  }
  if (!rotary_.cosine.empty()) {
    kernels::rotate(1, config.heads, dim, &position, rotary_.cosine.data(), rotary_.sine.data(),
                    false, q);
    kernels::rotate(1, config.kv_heads, dim, &position, rotary_.cosine.data(), rotary_.sine.data(),
                    false, k);
  }
  for (int g = 0; g < config.kv_heads; ++g)
    kernels::put(stores_[static_cast<std::size_t>(layer)], g, position, k + g * dim,
                 at.v + row * at.kv_stride + g * dim);
}

// mixed [rows,H*D]: every row over the positions up to its own that its window reaches.
void Decoder::attend(int layer, int rows) {
  const ModelConfig& config = model_.config;
  const Rows at = make_rows(layer, rows);
  const int window = config.window_of(layer), dim = config.head_dim;
  const bool alone = std::int64_t{rows} * (length_ + rows) * config.heads * dim < kAloneEntries;
  // One row is shared out head by head, else the heads that see the same keys go together.
  const int sharing = config.heads / config.kv_heads;
  const int together = rows < kSerialRows && !alone ? 1 : sharing, groups = config.heads / together;
#pragma omp parallel for schedule(static) if (rows >= kSerialRows)
  for (int row = 0; row < rows; ++row) turn_and_keep(layer, row, at);
#pragma omp parallel if (!alone)
  {
    thread_local Room<float> room;
    float* scratch = room.of(static_cast<std::size_t>(kernels::cached_scratch(length_ + rows)));
#pragma omp for schedule(dynamic) collapse(2)
    for (int row = 0; row < rows; ++row)
      for (int group = 0; group < groups; ++group) {
        const int end = length_ + row + 1, h = group * together;
        kernels::cached_attention(
            stores_[static_cast<std::size_t>(layer)],
            {h / sharing, together, window > 0 ? std::max(0, end - window) : 0, end,
             at.q + row * at.q_stride + std::int64_t{h} * dim,
             work_.mixed.data() + (std::int64_t{row} * config.heads + h) * dim, scratch});
      }
  }
}

}  // namespace freshet
