#pragma once
// model.safetensors.index.json: which shard holds which tensor.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace freshet {

struct ShardIndex {
  std::map<std::string, std::string, std::less<>> shard_of;  // by tensor
  std::vector<std::string> shards;  // file names of the index's own folder, sorted
};

// `source` names the file in errors. kBadInput for a shard that is not a plain file name, a tensor
// that stands twice, and more shards than limits::kModelShardsMax.
Result<ShardIndex> parse_shard_index(std::string_view json, std::string_view source);

}  // namespace freshet
