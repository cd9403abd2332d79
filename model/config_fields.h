#pragma once
// Reading the fields of a config.json: every number within bounds, every option either implemented
// or refused by name. Shared by the architectures' files; not for others.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/limits.h"
#include "base/result.h"
#include "model/model_config.h"

namespace freshet::config {

// A config.json that is open, and what it is called in errors.
struct Source {
  const Json& json;
  std::string_view name;
};

struct Range {
  std::int64_t low, high;
};

inline constexpr Range kHiddenSizes{1, 1 << 16}, kInnerSizes{1, 1 << 18},
    kLayerCounts{1, limits::kLayersMax}, kHeadCounts{1, 1024}, kPositionCounts{1, 1 << 24};

// An option whose only implemented value is `only`; absent and null mean the same.
struct FixedOption {
  const char* key;
  Json only;
};

tl::unexpected<Error> bad(const Source& source, const std::string& what);
Result<void> check_fixed(const Source& source, std::initializer_list<FixedOption> options);

// "architectures", where it stands, names this class alone.
Result<void> check_class(const Source& source, std::string_view name);

Result<int> int_of(const Source& source, const char* key, Range range);
Result<int> int_or(const Source& source, const char* key, int absent,
                   Range range);  // null as absent
Result<float> eps_of(const Source& source, const char* key, double absent);

// A token id: null gives none (-1), of a list the first counts.
Result<int> id_of(const Source& source, const char* key, int absent);
// Token ids: one, a list, or null for none.
Result<std::vector<int>> ids_of(const Source& source, const char* key, std::vector<int> absent);

// The base and the scaling of the rotary angles, in their old places ("rope_theta", "rope_scaling")
// or in the new one
// ("rope_parameters").
Result<void> read_rope(const Source& source, ModelConfig& config);
void write_rope(const ModelConfig& config, Json& json);

// The shortest decimal that reads back as the same float.
Json decimal(float value);
Json id_or_null(int id);
Json ids_or_null(const std::vector<int>& ids);

Result<ModelConfig> read_llama_family(const Source& source, Architecture architecture);
Result<ModelConfig> read_gpt2(const Source& source);
Json write_llama_family(const ModelConfig& config);
Json write_gpt2(const ModelConfig& config);

}  // namespace freshet::config
