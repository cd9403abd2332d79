#include "model/files/model_stream.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "model/files/safetensors.h"

namespace freshet {
namespace {

constexpr std::int64_t kPieceElements = std::int64_t{1} << 20;

template <class Convert>
Bytes as_halves(std::span<const float> values, Convert convert) {
  Bytes bytes(2 * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = convert(values[i]);
    std::memcpy(bytes.data() + 2 * i, &half, sizeof half);
  }
  return bytes;
}

}  // namespace

Result<void> for_each_piece(const WeightView& weight, const AdapterFold* fold, bool whole,
                            const std::function<Result<void>(const WeightPiece&)>& take) {
  const std::int64_t rows = weight.rows(), columns = weight.row_elements();
  if (rows == 0 || columns == 0) return {};
  whole = whole || weight.transposed;  // read whole each time, so read once
  const std::int64_t step =
      whole ? rows : std::clamp<std::int64_t>(kPieceElements / columns, 1, rows);
  std::vector<float> values(static_cast<std::size_t>(step * columns));
  for (std::int64_t first = 0; first < rows; first += step) {
    const std::int64_t count = std::min(step, rows - first);
    read_rows(weight, first, count, values.data());
    if (fold != nullptr) fold->add_to_rows(weight.name, first, count, values.data());
    const auto size = static_cast<std::size_t>(count * columns);
    TRY(take({first, count, std::span(values).first(size)}));
  }
  return {};
}

Result<Bytes> to_weight_bytes(std::span<const float> values, WeightType type,
                              std::string_view weight) {
  switch (type) {
    case WeightType::kF32: return to_bytes(as_bytes(values));
    case WeightType::kBF16: return as_halves(values, to_bf16);
    case WeightType::kF16:
      if (std::any_of(values.begin(), values.end(), [](float value) {
            return std::isfinite(value) && std::abs(value) >= 65520.0f;  // rounds to infinity
          }))
        return fail(Code::kBadInput, "tensor \"" + std::string(weight) +
                                         "\" has numbers too large for f16; write bf16 or f32");
      return as_halves(values, to_f16);
    default: break;
  }
  CHECK(type == WeightType::kQ8_0, "{}", block_of(type).name);
  const BlockFacts& block = block_of(type);
  Bytes bytes(values.size() / block.elements * block.bytes);
  quantize_q8_0(values, bytes.data());
  return bytes;
}

}  // namespace freshet
