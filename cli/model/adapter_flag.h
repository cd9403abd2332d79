#pragma once
// What `--adapter FOLDER` names.

#include <string>
#include <vector>

#include "base/result.h"
#include "model/adapter.h"

namespace freshet {

struct LoadedAdapter {
  AdapterSpec spec;
  std::vector<float> values;  // empty: no adapter
};

// An empty folder name is no adapter. kBadInput where it does not fit the model.
Result<LoadedAdapter> load_adapter_flag(const std::string& folder, const ModelConfig& config);

}  // namespace freshet
