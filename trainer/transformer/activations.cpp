// What a pass keeps and works in.

#include <algorithm>
#include <cstring>

#include "trainer/kernels/timing.h"
#include "trainer/transformer/block.h"

namespace freshet {
namespace {

// Calls each(first, count) for parts of so many numbers, on all threads.
template <class Each>
void over_parts(std::int64_t numbers, const Each& each) {
  constexpr std::int64_t kTogether = 512;
  over_rows((numbers + kTogether - 1) / kTogether, [&](std::int64_t first, std::int64_t some) {
    const std::int64_t begin = first * kTogether, end = std::min(numbers, begin + some * kTogether);
    each(begin, end - begin);
  });
}

// Of the linears that read what linear `index` reads, where it is the first of them; layer -1: of
// whichever layer has the most.
int kept_ranks(const Transformer& model, const Lora& lora, int layer, std::size_t index) {
  const Readers readers = readers_with(model, index);
  if (readers.first != index) return 0;
  return layer < 0 ? static_cast<int>(readers.count) * lora.rank_max()
                   : ranks_of(lora, layer, readers);
}

}  // namespace

Kept::Kept(std::int64_t count, bool bf16)
    : count_(count),
      f32_(bf16 ? 0 : static_cast<std::size_t>(count)),
      bf16_(bf16 ? static_cast<std::size_t>(count) : 0) {}

void Kept::put(std::int64_t first, std::int64_t count, const float* values) {
  if (values == f32_.data()) return;
  if (f32_.empty())
    kernels::to_bf16(count, values + first, bf16_.data() + first);
  else
    std::memcpy(f32_.data() + first, values + first, static_cast<std::size_t>(count) * 4);
}

const float* Kept::get(std::int64_t first, std::int64_t count, float* scratch) const {
  if (!f32_.empty()) return f32_.data();
  kernels::from_bf16(count, bf16_.data() + first, scratch + first);
  return scratch;
}

void Kept::put(const float* values) {
  if (values == f32_.data()) return;
  const timing::Scope scope(timing::Kind::kKept);
  over_parts(count_, [&](std::int64_t first, std::int64_t count) { put(first, count, values); });
}

const float* Kept::get(float* scratch) const {
  if (!f32_.empty()) return f32_.data();
  const timing::Scope scope(timing::Kind::kKept);
  over_parts(count_, [&](std::int64_t first, std::int64_t count) { get(first, count, scratch); });
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
    u.emplace_back(count_of(rows, kept_ranks(model, lora, layer, i)));
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
  u = floats(kReadersMax * lora.rank_max());
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

}  // namespace freshet
