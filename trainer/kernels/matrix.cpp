#include "trainer/kernels/matrix.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "trainer/kernels/tile.h"

namespace freshet::kernels {
namespace {

// The 16 values of NF4 (Dettmers et al. 2023, appendix E).
constexpr std::array<float, 16> kNf4 = {-1.0f,
                                        -0.6961928009986877f,
                                        -0.5250730514526367f,
                                        -0.39491748809814453f,
                                        -0.28444138169288635f,
                                        -0.18477343022823334f,
                                        -0.09105003625154495f,
                                        0.0f,
                                        0.07958029955625534f,
                                        0.16093020141124725f,
                                        0.24611230194568634f,
                                        0.33791524171829224f,
                                        0.44070982933044434f,
                                        0.5626170039176941f,
                                        0.7229568362236023f,
                                        1.0f};

std::int64_t blocks_of(std::int64_t columns) {
  return (columns + kBlockColumns - 1) / kBlockColumns;
}

int nearest_nf4(float value) {
  int best = 0;
  while (best < 15 && value > 0.5f * (kNf4[static_cast<std::size_t>(best)] +
                                      kNf4[static_cast<std::size_t>(best) + 1]))
    ++best;
  return best;
}

}  // namespace

std::int64_t bytes_of(Form form, std::int64_t rows, std::int64_t columns) {
  switch (form) {
    case Form::kF32: return rows * columns * 4;
    case Form::kBf16: return rows * columns * 2;
    case Form::kInt8: return rows * columns;
    default: return rows * ((columns + 1) / 2);
  }
}

std::int64_t scales_of(Form form, std::int64_t rows, std::int64_t columns) {
  return form == Form::kInt8 || form == Form::kNf4 ? rows * blocks_of(columns) : 0;
}

const float* nf4_values() { return kNf4.data(); }

void read_row(const Matrix& matrix, std::int64_t row, std::int64_t first, std::int64_t count,
              float* out) {
  const std::int64_t columns = matrix.columns;
  if (matrix.form == Form::kF32) {
    std::memcpy(out, static_cast<const float*>(matrix.values) + row * columns + first,
                static_cast<std::size_t>(count) * 4);
    return;
  }
  if (matrix.form == Form::kBf16)
    return from_bf16(count,
                     static_cast<const std::uint16_t*>(matrix.values) + row * columns + first, out);
  const float* scales = matrix.scales + row * blocks_of(columns);
  if (matrix.form == Form::kInt8) {
    const auto* values = static_cast<const std::int8_t*>(matrix.values) + row * columns;
    for (std::int64_t at = first; at < first + count;) {
      const std::int64_t end = std::min(first + count, (at / kBlockColumns + 1) * kBlockColumns);
      const float scale = scales[at / kBlockColumns];
      for (; at < end; ++at) out[at - first] = scale * static_cast<float>(values[at]);
    }
    return;
  }
  const auto* values = static_cast<const std::uint8_t*>(matrix.values) + row * ((columns + 1) / 2);
  for (std::int64_t at = first; at < first + count; ++at) {
    const std::uint8_t pair = values[at / 2];
    out[at - first] = scales[at / kBlockColumns] * kNf4[at % 2 == 0 ? pair & 15u : pair >> 4];
  }
}

void write_row(Form form, std::int64_t columns, const float* row, void* values, float* scales) {
  if (form == Form::kF32) {
    std::memcpy(values, row, static_cast<std::size_t>(columns) * 4);
    return;
  }
  if (form == Form::kBf16) return to_bf16(columns, row, static_cast<std::uint16_t*>(values));
  for (std::int64_t first = 0; first < columns; first += kBlockColumns) {
    const std::int64_t end = std::min(columns, first + kBlockColumns);
    float highest = 0;
    for (std::int64_t at = first; at < end; ++at) highest = std::max(highest, std::fabs(row[at]));
    const float scale = form == Form::kInt8 ? highest / 127.0f : highest;
    scales[first / kBlockColumns] = scale;
    const float inverse = scale > 0 ? 1.0f / scale : 0.0f;
    for (std::int64_t at = first; at < end; ++at) {
      const float unit = row[at] * inverse;
      if (form == Form::kInt8) {
        static_cast<std::int8_t*>(values)[at] =
            static_cast<std::int8_t>(std::lround(std::clamp(unit, -127.0f, 127.0f)));
        continue;
      }
      auto& pair = static_cast<std::uint8_t*>(values)[at / 2];
      const auto code = static_cast<std::uint8_t>(nearest_nf4(unit));
      pair = at % 2 == 0 ? code : static_cast<std::uint8_t>(pair | code << 4);
    }
  }
}

void to_bf16(std::int64_t count, const float* values, std::uint16_t* out) {
  tile_loops().to_bf16(count, values, out);
}

void from_bf16(std::int64_t count, const std::uint16_t* values, float* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint32_t bits = static_cast<std::uint32_t>(values[i]) << 16;
    std::memcpy(out + i, &bits, 4);
  }
}

}  // namespace freshet::kernels
