#include "model/files/weights.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "base/limits.h"
#include "model/files/gguf_model.h"
#include "model/files/model_files.h"
#include "model/files/safetensors.h"
#include "model/files/shard_index.h"

namespace freshet {
namespace {

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

Result<WeightType> type_of(const TensorView& tensor, std::string_view source) {
  switch (tensor.dtype) {
    case Dtype::kF32: return WeightType::kF32;
    case Dtype::kF16: return WeightType::kF16;
    case Dtype::kBF16: return WeightType::kBF16;
    default:
      return fail(Code::kBadInput,
                  std::string(source) + ": tensor \"" + tensor.name + "\" is " +
                      std::string(name_of(tensor.dtype)) +
                      "; weights are read as F32, F16 and BF16: save the model so");
  }
}

Result<void> append(const Safetensors& file, std::string_view source,
                    std::vector<WeightView>& tensors) {
  for (const TensorView& tensor : file.tensors) {
    WeightView view;
    view.name = weight_name(tensor.name);
    if (view.name.empty()) continue;
    TRY_ASSIGN(view.type, type_of(tensor, source));
    view.shape = tensor.shape;
    view.bytes = tensor.bytes;
    tensors.push_back(std::move(view));
  }
  return {};
}

// Both sides say the same: every tensor of the index is in its shard, and no other is there.
class IndexCheck {
 public:
  IndexCheck(const ShardIndex& index, std::string_view source) : index_(index), source_(source) {}

  Result<void> take_shard(std::string_view path, const Safetensors& file) {
    const std::string shard(last_part(path));
    if (!std::binary_search(index_.shards.begin(), index_.shards.end(), shard))
      return refuse("shard \"" + shard + "\" is not in the index");
    for (const TensorView& tensor : file.tensors) {
      const auto [seen, first] = seen_in_.emplace(tensor.name, shard);
      if (!first)
        return refuse("tensor \"" + tensor.name + "\" is in \"" + seen->second + "\" and in \"" +
                      shard + "\"");
      const auto said = index_.shard_of.find(tensor.name);
      if (said == index_.shard_of.end())
        return refuse("tensor \"" + tensor.name + "\" of \"" + shard + "\" is not in the index");
      if (said->second != shard)
        return refuse("tensor \"" + tensor.name + "\" is in \"" + shard + "\", not in \"" +
                      said->second + "\"");
    }
    return {};
  }

  Result<void> finish() const {
    for (const auto& [tensor, shard] : index_.shard_of)
      if (!seen_in_.contains(tensor))
        return refuse("tensor \"" + tensor + "\" is in no shard, though the index says \"" + shard +
                      "\"");
    return {};
  }

 private:
  tl::unexpected<Error> refuse(const std::string& what) const {
    return fail(Code::kBadInput,
                std::string(source_) + ": " + what + "; fetch the whole model again");
  }
  const ShardIndex& index_;
  std::string_view source_;
  std::map<std::string, std::string> seen_in_;  // the shard of every tensor so far
};

Result<std::vector<WeightView>> read_single(const OpenFile& file, const MappedFile& mapped) {
  TRY_ASSIGN(const Safetensors tensors, read_safetensors(mapped.view(), file.name));
  std::vector<WeightView> views;
  TRY(append(tensors, file.name, views));
  return views;
}

Result<std::vector<WeightView>> read_shards(const ModelFiles& files,
                                            const std::vector<MappedFile>& mapped) {
  const std::string& source = files.index.name;
  TRY_ASSIGN(const MappedFile text, MappedFile::of(files.index.fd, source));
  TRY_ASSIGN(const ShardIndex index, parse_shard_index(as_text(text.view()), source));
  IndexCheck check(index, source);
  std::vector<WeightView> views;
  for (std::size_t i = 0; i < mapped.size(); ++i) {
    const std::string& name = files.weights[i].name;
    TRY_ASSIGN(const Safetensors tensors, read_safetensors(mapped[i].view(), name));
    TRY(check.take_shard(name, tensors));
    TRY(append(tensors, name, views));
  }
  TRY(check.finish());
  return views;
}

// Within each head the file has the rows in pairs, Hugging Face the first of all pairs first.
std::int64_t row_in_file(const WeightView& tensor, std::int64_t rows, std::int64_t row) {
  if (tensor.interleaved_heads == 0) return row;
  const std::int64_t width = rows / tensor.interleaved_heads;
  const std::int64_t head = row / width, place = row % width;
  return head * width + place % (width / 2) * 2 + place / (width / 2);
}

void read_transposed(const WeightView& tensor, std::int64_t first, std::int64_t count, float* out) {
  const auto columns = static_cast<std::size_t>(tensor.row_elements());  // rows of the file
  const auto wide = static_cast<std::size_t>(tensor.rows());
  const std::size_t row_bytes = columns == 0 ? 0 : tensor.bytes.size() / columns;
  std::vector<float> row(wide);
  for (std::size_t c = 0; c < columns; ++c) {
    dequantize(tensor.type, tensor.bytes.subspan(c * row_bytes, row_bytes), row.data());
    for (std::size_t r = 0; r < static_cast<std::size_t>(count); ++r)
      out[r * columns + c] = row[static_cast<std::size_t>(first) + r];
  }
}

}  // namespace

std::int64_t WeightView::elements() const {
  const BlockFacts& block = block_of(type);
  return static_cast<std::int64_t>(bytes.size() / block.bytes * block.elements);
}

std::string weight_name(std::string_view name) {
  for (std::string_view buffer : {".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"})
    if (name.ends_with(buffer)) return "";
  for (std::string_view start : {"wte.", "wpe.", "h.", "ln_f."})
    if (name.starts_with(start)) return "transformer." + std::string(name);
  for (std::string_view start : {"embed_tokens.", "layers.", "norm."})
    if (name.starts_with(start)) return "model." + std::string(name);
  return std::string(name);
}

Result<Weights> Weights::open(const ModelFiles& files) {
  Weights weights;
  if (files.weights.empty() || files.weights.size() > limits::kModelShardsMax)
    return fail(Code::kBadInput, std::to_string(files.weights.size()) +
                                     " files of weights; a model has 1 to " +
                                     std::to_string(limits::kModelShardsMax));
  for (const OpenFile& file : files.weights) {
    TRY_ASSIGN(MappedFile mapped, MappedFile::of(file.fd, file.name));
    weights.files_.push_back(std::move(mapped));
  }
  const std::string& source = files.weights.front().name;
  if (files.is_gguf()) {
    if (files.weights.size() > 1) return fail(Code::kBadInput, source + ": several GGUF files");
    TRY_ASSIGN(const GgufFile file, read_gguf(weights.files_.front().view(), source));
    TRY_ASSIGN(const ModelConfig config, gguf_config(file));
    TRY_ASSIGN(weights.tensors_, gguf_weights(file, config));
  } else if (files.index.fd) {
    TRY_ASSIGN(weights.tensors_, read_shards(files, weights.files_));
  } else if (files.weights.size() > 1) {
    return fail(Code::kBadInput, source + ": several files of weights without their index");
  } else {
    TRY_ASSIGN(weights.tensors_, read_single(files.weights.front(), weights.files_.front()));
  }
  std::sort(weights.tensors_.begin(), weights.tensors_.end(),
            [](const WeightView& a, const WeightView& b) { return a.name < b.name; });
  for (std::size_t i = 1; i < weights.tensors_.size(); ++i)
    if (weights.tensors_[i].name == weights.tensors_[i - 1].name)
      return fail(Code::kBadInput,
                  source + ": two tensors mean \"" + weights.tensors_[i].name + "\"");
  return weights;
}

const WeightView* Weights::find(std::string_view name) const {
  const auto found = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const WeightView& tensor, std::string_view key) { return tensor.name < key; });
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

void read_rows(const WeightView& tensor, std::int64_t first, std::int64_t count, float* out) {
  const std::int64_t rows = tensor.rows(), columns = tensor.row_elements();
  CHECK(first >= 0 && count >= 0 && first <= rows && count <= rows - first,
        "{}: rows {} to {} of {}", tensor.name, first, first + count, rows);
  if (count == 0 || columns == 0) return;
  if (tensor.transposed) return read_transposed(tensor, first, count, out);
  const std::size_t row_bytes = tensor.bytes.size() / static_cast<std::size_t>(rows);
  const auto bytes_from = [&](std::int64_t row, std::int64_t many) {
    return tensor.bytes.subspan(static_cast<std::size_t>(row) * row_bytes,
                                static_cast<std::size_t>(many) * row_bytes);
  };
  if (tensor.interleaved_heads == 0) return dequantize(tensor.type, bytes_from(first, count), out);
  if (tensor.shape.size() < 2) {  // a bias: its values are interleaved as the rows are
    std::vector<float> values(static_cast<std::size_t>(columns));
    dequantize(tensor.type, tensor.bytes, values.data());
    for (std::int64_t i = 0; i < columns; ++i)
      out[i] = values[static_cast<std::size_t>(row_in_file(tensor, columns, i))];
    return;
  }
  for (std::int64_t i = 0; i < count; ++i)
    dequantize(tensor.type, bytes_from(row_in_file(tensor, rows, first + i), 1), out + i * columns);
}

}  // namespace freshet
