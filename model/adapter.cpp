#include "model/adapter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"
#include "base/rng.h"

namespace freshet {
namespace {

struct Module {
  std::string_view target, path;  // "q_proj", "self_attn.q_proj"
  int in, out;
};

std::array<Module, 7> modules_of(const ModelConfig& config) {
  const int hidden = config.hidden_size, inner = config.intermediate_size;
  const int queries = config.heads * config.head_dim, keys = config.kv_heads * config.head_dim;
  return {{
      {"q_proj", "self_attn.q_proj", hidden, queries},
      {"k_proj", "self_attn.k_proj", hidden, keys},
      {"v_proj", "self_attn.v_proj", hidden, keys},
      {"o_proj", "self_attn.o_proj", queries, hidden},
      {"gate_proj", "mlp.gate_proj", hidden, inner},
      {"up_proj", "mlp.up_proj", hidden, inner},
      {"down_proj", "mlp.down_proj", inner, hidden},
  }};
}

Result<void> check_targets(const AdapterSpec& spec, std::span<const Module> modules) {
  for (auto target = spec.targets.begin(); target != spec.targets.end(); ++target) {
    if (std::find(spec.targets.begin(), target, *target) != target)
      return fail(Code::kBadInput, "adapter target \"" + *target + "\" is named twice");
    if (std::none_of(modules.begin(), modules.end(),
                     [&](const Module& module) { return module.target == *target; }))
      return fail(Code::kBadInput,
                  "unknown adapter target \"" + *target +
                      "\"; there are q_proj k_proj v_proj o_proj gate_proj up_proj down_proj");
  }
  return {};
}

void append_entry(Layout& layout, LayoutEntry entry) {
  entry.offset = layout.size;
  layout.size += entry.size();
  layout.entries.push_back(std::move(entry));
}

// The entry of `whole` that a phase's entry is; entries of both stand in the same order, so the
// search goes on from `at`.
const LayoutEntry& counterpart(const Layout& whole, const LayoutEntry& entry, std::size_t& at) {
  while (at < whole.entries.size() &&
         (whole.entries[at].factor != entry.factor || whole.entries[at].module != entry.module))
    ++at;
  CHECK(at < whole.entries.size() && whole.entries[at].size() == entry.size(),
        "{} is no part of the adapter", entry.module);
  return whole.entries[at];
}

void append_u32(Bytes& bytes, std::size_t value) {
  for (int shift = 0; shift < 32; shift += 8)
    bytes.push_back(static_cast<std::uint8_t>(value >> shift));
}

// FNV-1a: a stream number that depends on the name of the module alone.
std::uint64_t stream_of(std::string_view module) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (char c : module) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return hash;
}

}  // namespace

Result<Layout> adapter_layout(const ModelConfig& config, const AdapterSpec& spec) {
  if (spec.rank < 1 || spec.rank > limits::kAdapterRankMax)
    return fail(Code::kBadInput, "an adapter rank of " + std::to_string(spec.rank) +
                                     " is outside 1 to " + std::to_string(limits::kAdapterRankMax));
  const std::array<Module, 7> modules = modules_of(config);
  TRY(check_targets(spec, modules));
  Layout layout;
  for (int layer = 0; layer < config.layers; ++layer) {
    for (const Module& module : modules) {
      if (!spec.targets.empty() &&
          std::find(spec.targets.begin(), spec.targets.end(), module.target) == spec.targets.end())
        continue;
      const std::string name =
          "model.layers." + std::to_string(layer) + "." + std::string(module.path);
      append_entry(layout, {name, Factor::kA, spec.rank, module.in, 0});
      append_entry(layout, {name, Factor::kB, module.out, spec.rank, 0});
    }
    if (layout.size > limits::kVectorEntriesMax)
      return fail(Code::kBadInput, "an adapter of rank " + std::to_string(spec.rank) +
                                       " has more than the " +
                                       std::to_string(limits::kVectorEntriesMax) +
                                       " entries allowed; take a lower rank or fewer targets");
  }
  return layout;
}

Layout phase_layout(const Layout& whole, bool a, bool b) {
  Layout phase;
  for (const LayoutEntry& entry : whole.entries)
    if (entry.factor == Factor::kA ? a : b) append_entry(phase, entry);
  return phase;
}

Bytes canonical_bytes(const Layout& layout) {
  Bytes bytes;
  append_u32(bytes, layout.entries.size());
  for (const LayoutEntry& entry : layout.entries) {
    append_u32(bytes, entry.module.size());
    bytes.insert(bytes.end(), entry.module.begin(), entry.module.end());
    bytes.push_back(entry.factor == Factor::kA ? 0 : 1);
    append_u32(bytes, static_cast<std::size_t>(entry.rows));
    append_u32(bytes, static_cast<std::size_t>(entry.columns));
  }
  return bytes;
}

std::vector<float> gather(const Layout& whole, const Layout& phase,
                          const std::vector<float>& adapter) {
  CHECK(adapter.size() == whole.size, "{} {}", adapter.size(), whole.size);
  std::vector<float> values(phase.size);
  std::size_t at = 0;
  for (const LayoutEntry& entry : phase.entries) {
    const LayoutEntry& from = counterpart(whole, entry, at);
    std::copy_n(adapter.begin() + static_cast<std::ptrdiff_t>(from.offset), entry.size(),
                values.begin() + static_cast<std::ptrdiff_t>(entry.offset));
  }
  return values;
}

void scatter_add(const Layout& whole, const Layout& phase, const std::vector<float>& delta,
                 std::vector<float>& adapter) {
  CHECK(adapter.size() == whole.size && delta.size() == phase.size, "{} {} {} {}", adapter.size(),
        whole.size, delta.size(), phase.size);
  std::size_t at = 0;
  for (const LayoutEntry& entry : phase.entries) {
    const LayoutEntry& to = counterpart(whole, entry, at);
    for (std::size_t i = 0; i < entry.size(); ++i)
      adapter[to.offset + i] += delta[entry.offset + i];
  }
}

std::vector<float> initial_adapter(const Layout& whole, std::uint64_t seed, float bound) {
  std::vector<float> adapter(whole.size, 0.0f);
  for (const LayoutEntry& entry : whole.entries) {
    if (entry.factor == Factor::kB) continue;
    const double reach = static_cast<double>(bound) / std::sqrt(static_cast<double>(entry.columns));
    Rng rng(seed, stream_of(entry.module));
    for (std::size_t i = 0; i < entry.size(); ++i)
      adapter[entry.offset + i] = static_cast<float>((2 * rng.uniform() - 1) * reach);
  }
  return adapter;
}

}  // namespace freshet
