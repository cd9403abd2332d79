#pragma once
// A matrix in memory in one of the forms that a weight may have, and the products of a transformer
// with it. Plain pointers, no LibTorch. Row-major. The innermost loops exist for AVX-512 (with BF16
// where the processor has it), AVX2 and anything else, and are chosen when the program runs.

#include <cstdint>

namespace freshet::kernels {

enum class Form : std::uint8_t {
  kF32,
  kBf16,
  kInt8,  // one scale a row and 64 columns: value = scale * integer
  kNf4,   // 4-bit NormalFloat (Dettmers et al. 2023, arXiv:2305.14314): one scale a row and 64
          // columns, even column low
};

inline constexpr std::int64_t kBlockColumns = 64;  // that share a scale

struct Matrix {
  Form form = Form::kF32;
  std::int64_t rows = 0, columns = 0;
  const void* values = nullptr;
  const float* scales = nullptr;  // [rows, ceil(columns / 64)]; kInt8 and kNf4 alone
};

std::int64_t bytes_of(Form form, std::int64_t rows, std::int64_t columns);   // of the values
std::int64_t scales_of(Form form, std::int64_t rows, std::int64_t columns);  // how many

const float* nf4_values();  // [16], ascending

// Columns [first, first + count) of one row. REQUIRES: first even for kNf4.
void read_row(const Matrix& matrix, std::int64_t row, std::int64_t first, std::int64_t count,
              float* out);

// The nearest values of the form, row by row. REQUIRES: `values`, `scales` have room.
void write_row(Form form, std::int64_t columns, const float* row, void* values, float* scales);

void to_bf16(std::int64_t count, const float* values, std::uint16_t* out);  // nearest, ties to even
void from_bf16(std::int64_t count, const std::uint16_t* values, float* out);

}  // namespace freshet::kernels
