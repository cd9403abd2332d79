#include "model/adapter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "base/rng.h"
#include "model/core_map.h"
#include "model/module_patterns.h"
#include "model/modules.h"

namespace freshet {
namespace {

// What a spec says of one module.
struct ModuleLora {
  int rank;
  float scale;
};

struct Patterns {
  ModulePatterns ranks, alphas;
};

template <class T>
Result<ModulePatterns> compiled(const std::vector<std::pair<std::string, T>>& values) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : values) keys.push_back(key);
  return ModulePatterns::compile(keys);
}

Result<void> check_rank(int rank) {
  if (rank >= 1 && rank <= limits::kAdapterRankMax) return {};
  return fail(Code::kBadInput, "an adapter rank of " + std::to_string(rank) + " is outside 1 to " +
                                   std::to_string(limits::kAdapterRankMax));
}

Result<void> check_numbers(const ModelConfig& config, const AdapterSpec& spec) {
  TRY(check_rank(spec.rank));
  for (const auto& [key, rank] : spec.rank_pattern) TRY(check_rank(rank));
  for (int layer : spec.layers)
    if (layer < 0 || layer >= config.layers)
      return fail(Code::kBadInput, "adapter layer " + std::to_string(layer) +
                                       " is not in the model, which has " +
                                       std::to_string(config.layers));
  return {};
}

bool names(std::string_view target, std::string_view module) {
  return module == target || (module.size() > target.size() + 1 && module.ends_with(target) &&
                              module[module.size() - target.size() - 1] == '.');
}

Error unknown_target(const ModelConfig& config, const std::string& target) {
  std::string known;
  for (const LinearModule& module : linear_modules(config)) {
    const bool gpt2 = config.architecture == Architecture::kGpt2;
    known += " " + std::string(gpt2 ? module.path : module.path.substr(module.path.find('.') + 1));
  }
  return {Code::kBadInput, "unknown adapter target \"" + target + "\"; there are" + known};
}

Result<void> check_targets(const ModelConfig& config, const AdapterSpec& spec) {
  if (spec.targets.size() > limits::kAdapterTargetsMax)
    return fail(Code::kBadInput, "an adapter of more than " +
                                     std::to_string(limits::kAdapterTargetsMax) + " targets");
  std::set<std::string_view> seen;
  const std::vector<LinearModule> modules = linear_modules(config);
  for (const std::string& target : spec.targets) {
    if (!seen.insert(target).second)
      return fail(Code::kBadInput, "adapter target \"" + target + "\" is named twice");
    bool found = false;
    for (int layer = 0; layer < config.layers && !found; ++layer)
      for (const LinearModule& module : modules)
        found = found || names(target, layer_prefix(config, layer) + std::string(module.path));
    if (!found) return tl::unexpected(unknown_target(config, target));
  }
  return {};
}

// As PEFT decides: a full name is adapted whatever the list of layers says.
bool is_adapted(const AdapterSpec& spec, std::string_view module, int layer) {
  const std::vector<std::string>& targets = spec.targets;
  const std::vector<int>& layers = spec.layers;
  if (std::find(targets.begin(), targets.end(), module) != targets.end()) return true;
  if (!layers.empty() && std::find(layers.begin(), layers.end(), layer) == layers.end())
    return false;
  return targets.empty() || std::any_of(targets.begin(), targets.end(),
                                        [&](std::string_view each) { return names(each, module); });
}

Result<ModuleLora> lora_of(const AdapterSpec& spec, const Patterns& patterns,
                           std::string_view module) {
  TRY_ASSIGN(const std::optional<std::size_t> rank_at, patterns.ranks.first_match(module));
  TRY_ASSIGN(const std::optional<std::size_t> alpha_at, patterns.alphas.first_match(module));
  const int rank = rank_at ? spec.rank_pattern[*rank_at].second : spec.rank;
  const float alpha = alpha_at ? spec.alpha_pattern[*alpha_at].second : spec.alpha;
  return ModuleLora{rank, spec.scale_of(alpha, rank)};
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

bool is_core(const Layout& phase) {
  return !phase.entries.empty() && phase.entries[0].factor == Factor::kCore;
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

float AdapterSpec::scale_of(float module_alpha, int module_rank) const {
  const auto rank_of = static_cast<float>(module_rank);
  return module_alpha / (rslora ? std::sqrt(rank_of) : rank_of);
}

Result<Layout> adapter_layout(const ModelConfig& config, const AdapterSpec& spec) {
  TRY(check_numbers(config, spec));
  TRY(check_targets(config, spec));
  Patterns patterns;
  TRY_ASSIGN(patterns.ranks, compiled(spec.rank_pattern));
  TRY_ASSIGN(patterns.alphas, compiled(spec.alpha_pattern));
  const std::vector<LinearModule> modules = linear_modules(config);
  Layout layout;
  for (int layer = 0; layer < config.layers; ++layer) {
    for (const LinearModule& module : modules) {
      const std::string name = layer_prefix(config, layer) + std::string(module.path);
      if (!is_adapted(spec, name, layer)) continue;
      TRY_ASSIGN(const ModuleLora lora, lora_of(spec, patterns, name));
      append_entry(layout, {name, Factor::kA, lora.rank, module.in, 0, lora.scale});
      append_entry(layout, {name, Factor::kB, module.out, lora.rank, 0, lora.scale});
    }
    if (layout.size > limits::kVectorEntriesMax)
      return fail(Code::kBadInput, "an adapter of rank " + std::to_string(spec.rank) +
                                       " has more than the " +
                                       std::to_string(limits::kVectorEntriesMax) +
                                       " entries allowed; take a lower rank or fewer targets");
  }
  return layout;
}

Layout phase_layout(const Layout& whole, bool a, bool b, bool core) {
  CHECK(!core || (!a && !b), "a core beside its factors");
  if (core) return CoreMap(whole).layout();
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
    bytes.push_back(static_cast<std::uint8_t>(entry.factor));
    append_u32(bytes, static_cast<std::size_t>(entry.rows));
    append_u32(bytes, static_cast<std::size_t>(entry.columns));
  }
  return bytes;
}

std::vector<float> gather(const Layout& whole, const Layout& phase,
                          const std::vector<float>& adapter) {
  CHECK(adapter.size() == whole.size, "{} {}", adapter.size(), whole.size);
  if (is_core(phase)) return CoreMap(whole).of(adapter);
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
  if (is_core(phase)) return CoreMap(whole).add(delta, adapter);
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
