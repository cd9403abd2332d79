#pragma once
// A model written as a folder in the form of Hugging Face, from either form, with another number format or an adapter
// folded in.

#include <optional>

#include "base/files.h"
#include "base/result.h"
#include "model/files/model_files.h"
#include "model/files/model_stream.h"

namespace freshet {

struct WritePlan {
  Path out;
  bool replace = false;             // what stands at `out`
  std::optional<WeightType> type = {};  // none: as the weights are; of blocks, F16
  const AdapterFold* fold = nullptr;
};

struct Written {
  std::uint64_t tensors = 0, adapted = 0, parameters = 0, bytes = 0;  // bytes of the weights
};

// config.json, tokenizer.json and what else stands beside them, and one model.safetensors; whole at `out` or not at
// all. `source` is where `files` were opened. REQUIRES: type is F32, F16 or BF16.
Result<Written> write_hugging_face(const Path& source, const ModelFiles& files, const WritePlan& plan,
                                   const OnProgress& on_progress);

}  // namespace freshet
