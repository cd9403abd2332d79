#pragma once
// Every tensor of a model under its Hugging Face name, whatever file it came in: one safetensors
// file, shards with their index, or a GGUF. The files stay mapped; nothing is copied before
// read_rows().

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/files.h"
#include "base/result.h"
#include "model/files/quantized_blocks.h"

namespace freshet {

struct ModelFiles;

struct WeightView {
  std::string name;
  WeightType type = WeightType::kF32;
  std::vector<std::int64_t> shape;  // row-major, as Hugging Face writes it
  ByteView bytes;
  // What read_rows() undoes. The rows of q and k of a GGUF of Llama's are interleaved for the other
  // form of RoPE, within each of this many heads; 0: they are not.
  int interleaved_heads = 0;
  bool transposed = false;  // the bytes hold the transpose: GPT-2's projections in a GGUF

  // A vector is one row; every other tensor has as many as its first dimension says.
  std::int64_t rows() const { return shape.size() < 2 ? 1 : shape.front(); }
  std::int64_t elements() const;
  std::int64_t row_elements() const { return rows() == 0 ? 0 : elements() / rows(); }
};

class Weights {
 public:
  // kBadInput where a file is damaged, the files do not belong together, or a tensor has a type
  // that is not read. Buffers that a model computes itself are left out.
  static Result<Weights> open(const ModelFiles& files);

  const WeightView* find(std::string_view name) const;             // null where there is none
  const std::vector<WeightView>& all() const { return tensors_; }  // sorted by name

 private:
  std::vector<MappedFile> files_;
  std::vector<WeightView> tensors_;
};

// `count` rows from `first` on, dequantised, as Hugging Face lays them out. Several threads may
// read one tensor. A transposed tensor is read whole each time: ask for all its rows at once.
// REQUIRES: the rows are there; `out` has room for count * row_elements().
void read_rows(const WeightView& tensor, std::int64_t first, std::int64_t count, float* out);

// The name under which Freshet knows a tensor: that of the whole model where a file was saved
// without its head. Empty for a buffer that is computed, not read.
std::string weight_name(std::string_view name_in_file);

}  // namespace freshet
