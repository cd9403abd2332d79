#pragma once
// LoRA adapters as flat vectors. An AdapterSpec and a model's config fix the layout: names, shapes and order of every
// factor. The whole adapter is one vector of floats; a round's phase is the part of it that the round trains.
// W = W0 + scale * B A, A [rank, in], B [out, rank] (Hu et al. 2021, arXiv:2106.09685).

#include <cstddef>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/model_config.h"

namespace freshet {

struct AdapterSpec {
  int rank = 8;
  float alpha = 16;                  // scale = alpha / rank
  std::vector<std::string> targets;  // of "q_proj" "k_proj" "v_proj" "o_proj" "gate_proj" "up_proj" "down_proj";
                                     // empty means all seven
  float scale() const { return alpha / static_cast<float>(rank); }
  bool operator==(const AdapterSpec&) const = default;
};

enum class Factor : std::uint8_t { kA, kB };

struct LayoutEntry {
  std::string module;  // "model.layers.0.self_attn.q_proj"
  Factor factor;
  int rows, columns;   // A: [rank, in]; B: [out, rank]
  std::size_t offset;  // first entry in the flat vector, row-major
  std::size_t size() const { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns); }
};

struct Layout {
  std::vector<LayoutEntry> entries;  // layer by layer, module by module in the order above, A before B
  std::size_t size = 0;              // of the flat vector
};

// The layout of the whole adapter. kBadInput for an unknown target or a rank outside [1, 1024].
Result<Layout> adapter_layout(const ModelConfig& config, const AdapterSpec& spec);

// The part of `whole` that a phase trains; offsets count in the phase's own vector.
Layout phase_layout(const Layout& whole, bool a, bool b);

// Canonical bytes of a layout: what its digest is taken over.
Bytes canonical_bytes(const Layout& layout);

// phase entries copied out of, or added to, the whole adapter. REQUIRES: sizes as in the layouts.
std::vector<float> gather(const Layout& whole, const Layout& phase, const std::vector<float>& adapter);
void scatter_add(const Layout& whole, const Layout& phase, const std::vector<float>& delta, std::vector<float>& adapter);

// B = 0; A uniform in +-bound / sqrt(in) from the public counter-based generator (bound sqrt(3) gives variance 1/in).
std::vector<float> initial_adapter(const Layout& whole, std::uint64_t seed, float bound = 1.7320508f);

}  // namespace freshet
