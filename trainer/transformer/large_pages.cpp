#include "trainer/transformer/large_pages.h"

#include <cstring>
#include <vector>

#include "trainer/transformer/free_memory.h"

namespace freshet {
namespace {

constexpr std::uint64_t kAligned = 64;

std::uint64_t value_bytes(const kernels::Matrix& matrix) {
  return static_cast<std::uint64_t>(kernels::bytes_of(matrix.form, matrix.rows, matrix.columns));
}
std::uint64_t scale_bytes(const kernels::Matrix& matrix) {
  return 4 *
         static_cast<std::uint64_t>(kernels::scales_of(matrix.form, matrix.rows, matrix.columns));
}
std::uint64_t aligned(std::uint64_t bytes) { return (bytes + kAligned - 1) / kAligned * kAligned; }
std::uint64_t room_of(const kernels::Matrix& matrix) {
  return aligned(value_bytes(matrix)) + aligned(scale_bytes(matrix));
}

bool is_tied(const Transformer& model) { return model.head.values == model.embedding.values; }

// Calls each(matrix) for all of them, a tied head apart.
template <class Model, class Each>
void for_each_matrix(Model& model, const Each& each) {
  each(model.embedding);
  for (auto& layer : model.layers)
    for (auto& linear : layer.linears) each(linear.matrix);
  if (!is_tied(model)) each(model.head);
}

}  // namespace

std::uint64_t matrix_bytes(const Transformer& model) {
  std::uint64_t bytes = 0;
  for_each_matrix(model, [&](const kernels::Matrix& matrix) { bytes += room_of(matrix); });
  return bytes;
}

void move_to_large_pages(Transformer& model) {
  Memory<std::uint8_t> memory(matrix_bytes(model));
  struct Copy {
    kernels::Matrix* matrix;
    std::uint8_t* to;
  };
  const bool tied = is_tied(model);
  std::vector<Copy> copies;
  std::uint8_t* at = memory.data();
  for_each_matrix(model, [&](kernels::Matrix& matrix) {
    copies.push_back({&matrix, at});
    at += room_of(matrix);
  });
#pragma omp parallel for schedule(dynamic)
  for (std::size_t i = 0; i < copies.size(); ++i) {
    auto [matrix, to] = copies[i];
    const std::uint64_t values = value_bytes(*matrix), scales = scale_bytes(*matrix);
    std::memcpy(to, matrix->values, values);
    matrix->values = to;
    if (scales == 0) continue;
    std::memcpy(to + aligned(values), matrix->scales, scales);
    matrix->scales = reinterpret_cast<const float*>(to + aligned(values));
  }
  if (tied) model.head = model.embedding;
  model.owned.clear();
  model.owned.push_back(std::move(memory));
  model.mapped.reset();
}

bool has_room_for_copy(const Transformer& model) {
  return matrix_bytes(model) <= free_memory() / 2;
}

}  // namespace freshet
