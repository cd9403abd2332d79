#pragma once
// Writes a safetensors file tensor by tensor, so that a model of any size passes through without being held.

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/files.h"
#include "base/result.h"
#include "model/files/safetensors.h"

namespace freshet {

struct TensorHead {
  std::string name;
  Dtype dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t bytes() const;
};

class SafetensorsWriter {
 public:
  // The order in which the format wants them: larger elements first, then by name.
  static void sort(std::vector<TensorHead>& tensors);

  // Creates `path` and writes the header, with __metadata__ {"format": "pt"}. REQUIRES: sorted, names differ.
  Result<void> start(const Path& path, const std::vector<TensorHead>& tensors);
  // The tensors' bytes, one after another, in pieces of any size.
  Result<void> write(ByteView bytes);
  // Everything is on the disk. REQUIRES: every byte that the header announces was written.
  Result<void> finish();

 private:
  Path path_;
  UniqueFd fd_;
  std::uint64_t left_ = 0;
};

}  // namespace freshet
