#include "model/files/write_gguf.h"

#include <algorithm>

#include "base/check.h"
#include "model/files/gguf_model.h"
#include "model/files/gguf_tokenizer.h"
#include "model/files/model_parts.h"
#include "model/files/output_folder.h"
#include "model/modules.h"

namespace freshet {
namespace {

std::uint32_t file_type_of(WeightType type) {  // llama.cpp's numbers
  switch (type) {
    case WeightType::kF32: return 0;
    case WeightType::kF16: return 1;
    case WeightType::kQ8_0: return 7;
    default: break;
  }
  return 32;  // BF16
}

struct Placed {
  const WeightView* weight;
  GgufPlace place;
  WeightType type;
  std::vector<std::int64_t> shape;  // in the GGUF
};

// Rows in the order of the file, or the transpose.
std::vector<float> arranged(const Placed& placed, std::span<const float> values) {
  const std::int64_t rows = placed.weight->rows(), columns = placed.weight->row_elements();
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  std::vector<float> out(values.size());
  if (placed.place.transposed) {
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c)
        out[size(c * rows + r)] = values[size(r * columns + c)];
    return out;
  }
  const bool vector = placed.weight->shape.size() < 2;  // a bias: its values are its rows
  const std::int64_t count = vector ? columns : rows, width = vector ? 1 : columns;
  for (std::int64_t row = 0; row < count; ++row) {
    const std::int64_t from = row_behind_gguf_row(placed.place.interleaved_heads, count, row);
    std::copy_n(values.begin() + from * width, width, out.begin() + row * width);
  }
  return out;
}

class GgufModelWriter {
 public:
  GgufModelWriter(const ModelFiles& files, const WritePlan& plan, const OnProgress& on_progress)
      : files_(files), plan_(plan), on_progress_(on_progress) {}

  Result<Written> write() {
    TRY_ASSIGN(config_, read_config(files_));
    TRY_ASSIGN(weights_, Weights::open(files_));
    TRY(check_weights(config_, weights_, files_.weights.front().name));
    TRY(check_output_file(plan_.out, plan_.replace));
    TRY(put_head());
    TRY(place_weights());
    TRY(writer_.start(plan_.out));
    if (const std::vector<float> divisors = gguf_rope_divisors(config_); !divisors.empty())
      TRY(writer_.write_tensor(as_bytes(std::span(divisors))));
    for (const Placed& each : placed_) TRY(write_tensor(each));
    TRY(writer_.finish());
    return written_;
  }

 private:
  // Of matrices, where nobody asks for another.
  WeightType type_of_all() const {
    if (plan_.type) return *plan_.type;
    const std::string first =
        layer_prefix(config_, 0) + std::string(linear_modules(config_).front().path) + ".weight";
    const WeightView* weight = weights_.find(first);
    CHECK(weight != nullptr, "{}", first);
    return is_plain(weight->type) ? weight->type : WeightType::kF16;
  }

  Result<void> put_head() {
    TRY_ASSIGN(const Tokenizer tokenizer, read_tokenizer(files_));
    TRY(check_tokenizer_matches(config_, tokenizer));
    TRY_ASSIGN(const std::optional<std::string> chat, read_chat_template(files_));
    TRY(put_gguf_config(config_, plan_.out.stem().string(), writer_));
    writer_.put_u32("general.file_type", file_type_of(type_of_all()));
    if (type_of_all() == WeightType::kQ8_0) writer_.put_u32("general.quantization_version", 2);
    TRY(put_gguf_tokenizer(tokenizer, config_.vocab_size, writer_));
    if (chat) writer_.put_text("tokenizer.chat_template", *chat);
    return {};
  }

  WeightType type_of(const WeightShape& shape, std::int64_t row_elements) const {
    const bool positions = shape.name == "transformer.wpe.weight";
    if (shape.shape.size() < 2 || positions) return WeightType::kF32;
    const WeightType type = type_of_all();
    const auto block = static_cast<std::int64_t>(block_of(type).elements);
    return row_elements % block == 0 ? type : WeightType::kF16;
  }

  Result<void> place_weights() {
    if (const std::vector<float> divisors = gguf_rope_divisors(config_); !divisors.empty()) {
      const std::int64_t count = static_cast<std::int64_t>(divisors.size());
      writer_.announce("rope_freqs.weight", WeightType::kF32, std::span(&count, 1));
    }
    for (const WeightShape& shape : weight_shapes(config_)) {
      if (shape.optional) continue;
      std::optional<GgufPlace> place = gguf_place(config_, shape.name);
      if (!place)
        return fail(Code::kBadInput, "tensor \"" + shape.name + "\" has no place in a GGUF of a " +
                                         std::string(name_of(config_.architecture)));
      std::vector<std::int64_t> lengths = shape.shape;
      if (place->transposed) std::swap(lengths[0], lengths[1]);
      const WeightType type = type_of(shape, lengths.back());
      writer_.announce(place->name, type, lengths);
      placed_.push_back({weights_.find(shape.name), std::move(*place), type, std::move(lengths)});
      total_ += static_cast<std::uint64_t>(placed_.back().weight->elements());
    }
    return {};
  }

  Result<void> write_tensor(const Placed& placed) {
    const WeightView& weight = *placed.weight;
    const bool whole = placed.place.transposed || placed.place.interleaved_heads > 0;
    Bytes tensor;
    TRY(for_each_piece(weight, plan_.fold, whole, [&](const WeightPiece& piece) -> Result<void> {
      const std::vector<float> ordered =
          whole ? arranged(placed, piece.values) : std::vector<float>();
      TRY_ASSIGN(const Bytes bytes,
                 to_weight_bytes(whole ? std::span<const float>(ordered) : piece.values,
                                 placed.type, weight.name));
      tensor.insert(tensor.end(), bytes.begin(), bytes.end());
      done_ += piece.values.size();
      return on_progress_(done_, total_);
    }));
    ++written_.tensors;
    written_.parameters += static_cast<std::uint64_t>(weight.elements());
    written_.bytes += tensor.size();
    if (plan_.fold != nullptr && plan_.fold->adapts(weight.name)) ++written_.adapted;
    return writer_.write_tensor(tensor);
  }

  const ModelFiles& files_;
  const WritePlan& plan_;
  const OnProgress& on_progress_;
  ModelConfig config_;
  Weights weights_;
  GgufWriter writer_;
  std::vector<Placed> placed_;
  std::uint64_t done_ = 0, total_ = 0;
  Written written_;
};

}  // namespace

std::int64_t row_behind_gguf_row(int heads, std::int64_t rows, std::int64_t row) {
  if (heads == 0) return row;
  const std::int64_t width = rows / heads, head = row / width, place = row % width;
  return head * width + place % 2 * (width / 2) + place / 2;
}

Result<Written> write_gguf(const ModelFiles& files, const WritePlan& plan,
                           const OnProgress& on_progress) {
  return GgufModelWriter(files, plan, on_progress).write();
}

}  // namespace freshet
