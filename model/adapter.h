#pragma once
// LoRA adapters as flat vectors. An AdapterSpec and a model's config fix the layout: names, shapes
// and order of every factor. The whole adapter is one vector of floats; a round's phase is the part
// of it that the round trains. W = W0 + scale * B A, A [rank, in], B [out, rank] (Hu et al. 2021,
// arXiv:2106.09685).

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/model_config.h"

namespace freshet {

// A target names a module as PEFT's do: by its full name ("model.layers.0.self_attn.q_proj") or by
// the end of it after a dot ("q_proj", "mlp.c_proj"). A pattern is a regular expression for the
// same ends; the first that matches counts.
struct AdapterSpec {
  int rank = 8;
  float alpha = 16;
  std::vector<std::string> targets = {};  // none: every linear module of the layers
  bool rslora = false;                    // scale alpha / sqrt(rank), not alpha / rank
  std::vector<std::pair<std::string, int>> rank_pattern = {};     // ranks that differ
  std::vector<std::pair<std::string, float>> alpha_pattern = {};  // alphas that differ
  std::vector<int> layers = {};                                   // adapted alone; none: all
  float scale() const { return scale_of(alpha, rank); }           // of modules without a pattern
  float scale_of(float module_alpha, int module_rank) const;
  bool operator==(const AdapterSpec&) const = default;
};

enum class Factor : std::uint8_t { kA, kB, kCore };  // kCore: of B, in phases alone (core_map.h)

struct LayoutEntry {
  std::string module;  // "model.layers.0.self_attn.q_proj"
  Factor factor;
  int rows, columns;   // A: [rank, in]; B: [out, rank]
  std::size_t offset;  // first entry in the flat vector, row-major
  float scale = 1;     // of B A, for this module; no part of what canonical_bytes() says
  std::size_t size() const {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  }
};

struct Layout {
  std::vector<LayoutEntry>
      entries;  // layer by layer, module by module as linear_modules() has them, A before B
  std::size_t size = 0;  // of the flat vector
};

// The layout of the whole adapter. kBadInput for a target or a layer that is not in the model, a
// rank outside [1, 1024], a pattern that is no regular expression.
Result<Layout> adapter_layout(const ModelConfig& config, const AdapterSpec& spec);

// The part of `whole` that a phase trains; offsets count in the phase's own vector. With `core` it
// is CoreMap(whole).layout(), and a and b are false.
Layout phase_layout(const Layout& whole, bool a, bool b, bool core = false);

// Canonical bytes of a layout: what its digest is taken over.
Bytes canonical_bytes(const Layout& layout);

// phase entries copied out of, or added to, the whole adapter; of a core by its map. REQUIRES:
// sizes as in the layouts.
std::vector<float> gather(const Layout& whole, const Layout& phase,
                          const std::vector<float>& adapter);
void scatter_add(const Layout& whole, const Layout& phase, const std::vector<float>& delta,
                 std::vector<float>& adapter);

// B = 0; A uniform in +-bound / sqrt(in) from the public counter-based generator (bound sqrt(3)
// gives variance 1/in).
std::vector<float> initial_adapter(const Layout& whole, std::uint64_t seed,
                                   float bound = 1.7320508f);

}  // namespace freshet
