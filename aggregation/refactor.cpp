#include "aggregation/refactor.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/check.h"

namespace freshet {
namespace {

struct Rows {  // row-major
  std::size_t count, width;
  std::vector<double> values;
  Rows(std::size_t count_, std::size_t width_)
      : count(count_), width(width_), values(count_ * width_) {}
  std::span<double> operator[](std::size_t i) { return {values.data() + i * width, width}; }
  std::span<const double> operator[](std::size_t i) const {
    return {values.data() + i * width, width};
  }
};

double dot(std::span<const double> x, std::span<const double> y) {
  return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
}

double norm(std::span<const double> x) { return std::sqrt(dot(x, x)); }

void subtract(std::span<double> from, double times, std::span<const double> x) {
  for (std::size_t i = 0; i < x.size(); ++i) from[i] -= times * x[i];
}

void divide(std::span<double> x, double by) {
  for (double& value : x) value /= by;
}

// R of B = Q R, [rank, rank], by Gram-Schmidt over B's columns, each twice. A column that depends
// on those before it gets a zero on the diagonal.
Rows triangle_of(Rows columns) {
  Rows r(columns.count, columns.count);
  for (std::size_t j = 0; j < columns.count; ++j) {
    const double before = norm(columns[j]);
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t i = 0; i < j; ++i) {
        const double along = dot(columns[i], columns[j]);
        subtract(columns[j], along, columns[i]);
        r[i][j] += along;
      }
    const double left = norm(columns[j]);
    if (left <= 1e-12 * before || left == 0) {
      std::fill(columns[j].begin(), columns[j].end(), 0.0);
      continue;
    }
    r[j][j] = left;
    divide(columns[j], left);
  }
  return r;
}

// Turns pairs of rows until all are orthogonal to each other (Hestenes 1958): their lengths are the
// singular values, their directions the right singular vectors.
void orthogonalise(Rows& rows) {
  constexpr int kSweeps = 60;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    bool turned = false;
    for (std::size_t i = 0; i + 1 < rows.count; ++i)
      for (std::size_t j = i + 1; j < rows.count; ++j) {
        const double ii = dot(rows[i], rows[i]), jj = dot(rows[j], rows[j]),
                     ij = dot(rows[i], rows[j]);
        if (std::fabs(ij) <= 1e-13 * std::sqrt(ii * jj) || ij == 0) continue;
        turned = true;
        const double zeta = (jj - ii) / (2 * ij);
        const double t = (zeta >= 0 ? 1 : -1) / (std::fabs(zeta) + std::sqrt(1 + zeta * zeta));
        const double c = 1 / std::sqrt(1 + t * t), s = c * t;
        for (std::size_t k = 0; k < rows.width; ++k) {
          const double x = rows[i][k], y = rows[j][k];
          rows[i][k] = c * x - s * y;
          rows[j][k] = s * x + c * y;
        }
      }
    if (!turned) return;
  }
}

// Orthonormal rows: the directions of `rows` by falling length, as far as they have one, then what
// `spare` spans beside them. False where there are not enough.
bool directions_of(const Rows& rows, const Rows& spare, Rows& found) {
  std::vector<std::size_t> order(rows.count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return norm(rows[i]) > norm(rows[j]); });
  const double longest = norm(rows[order[0]]);
  std::size_t count = 0;
  auto append = [&](std::span<const double> row, double least) {
    if (count == found.count) return;
    const std::span<double> target = found[count];
    std::copy(row.begin(), row.end(), target.begin());
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t i = 0; i < count; ++i) subtract(target, dot(found[i], target), found[i]);
    const double left = norm(target);
    if (!(left > least)) return;
    divide(target, left);
    ++count;
  };
  for (const std::size_t i : order) append(rows[i], 1e-9 * longest);
  for (std::size_t i = 0; i < spare.count; ++i) append(spare[i], 1e-9 * norm(spare[i]));
  return count == found.count;
}

}  // namespace

void refactor(std::span<float> a, std::span<float> b, const FactorShape& shape) {
  const auto rank = static_cast<std::size_t>(shape.rank), in = static_cast<std::size_t>(shape.in),
             out = static_cast<std::size_t>(shape.out);
  CHECK(a.size() == rank * in && b.size() == out * rank && rank <= in, "{} and {} of {} x {} x {}",
        a.size(), b.size(), out, rank, in);
  if (std::all_of(b.begin(), b.end(), [](float value) { return value == 0; })) return;
  Rows old_a(rank, in), columns(rank, out);  // columns: B^T
  std::copy(a.begin(), a.end(), old_a.values.begin());
  for (std::size_t i = 0; i < out; ++i)
    for (std::size_t k = 0; k < rank; ++k) columns[k][i] = b[i * rank + k];
  const Rows r = triangle_of(columns);  // [rank, rank]
  Rows product(rank, in);               // R A: the singular values and right vectors of B A
  for (std::size_t i = 0; i < rank; ++i)
    for (std::size_t k = i; k < rank; ++k) subtract(product[i], -r[i][k], old_a[k]);
  orthogonalise(product);
  Rows new_a(rank, in);
  if (!directions_of(product, old_a, new_a)) return;  // A's rows depend on each other: leave them
  Rows turn(rank, rank);                              // A V, so that B A V = B turn
  for (std::size_t i = 0; i < rank; ++i)
    for (std::size_t k = 0; k < rank; ++k) turn[i][k] = dot(old_a[i], new_a[k]);
  for (std::size_t i = 0; i < out; ++i)
    for (std::size_t k = 0; k < rank; ++k) {
      double sum = 0;
      for (std::size_t j = 0; j < rank; ++j) sum += columns[j][i] * turn[j][k];
      b[i * rank + k] = static_cast<float>(sum);
    }
  std::transform(new_a.values.begin(), new_a.values.end(), a.begin(),
                 [](double value) { return static_cast<float>(value); });
}

}  // namespace freshet
