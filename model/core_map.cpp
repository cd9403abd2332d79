#include "model/core_map.h"

#include <cmath>

#include "base/check.h"
#include "base/rng.h"

namespace freshet {
namespace {

constexpr std::uint64_t kBasisSeed = 0x636f7265;  // of every campaign: the basis is public

std::uint64_t basis_stream_of(std::string_view module) {  // FNV-1a
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (char c : module) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return hash;
}

// Random columns made orthonormal (Gram and Schmidt, twice), each as one row.
std::vector<float> orthonormal_columns(std::string_view module, std::size_t out, std::size_t rank) {
  Rng rng(kBasisSeed, basis_stream_of(module));
  std::vector<double> columns(rank * out);
  for (std::size_t k = 0; k < rank; ++k) {
    double* row = columns.data() + k * out;
    for (std::size_t i = 0; i < out; ++i) row[i] = rng.normal();
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t j = 0; j < k; ++j) {
        const double* other = columns.data() + j * out;
        double along = 0;
        for (std::size_t i = 0; i < out; ++i) along += row[i] * other[i];
        for (std::size_t i = 0; i < out; ++i) row[i] -= along * other[i];
      }
    double squares = 0;
    for (std::size_t i = 0; i < out; ++i) squares += row[i] * row[i];
    const double length = std::sqrt(squares);
    CHECK(length > 0, "{}: {} columns of {} rows", module, rank, out);
    for (std::size_t i = 0; i < out; ++i) row[i] /= length;
  }
  return std::vector<float>(columns.begin(), columns.end());
}

}  // namespace

CoreMap::CoreMap(const Layout& whole) : whole_size_(whole.size) {
  for (const LayoutEntry& entry : whole.entries) {
    if (entry.factor != Factor::kB || entry.rows < entry.columns) continue;
    const auto out = static_cast<std::size_t>(entry.rows),
               rank = static_cast<std::size_t>(entry.columns);
    modules_.push_back({out, rank, entry.offset, orthonormal_columns(entry.module, out, rank)});
    layout_.entries.push_back(
        {entry.module, Factor::kCore, entry.columns, entry.columns, layout_.size, entry.scale});
    layout_.size += rank * rank;
  }
}

std::vector<float> CoreMap::of(const std::vector<float>& whole_values) const {
  CHECK(whole_values.size() == whole_size_, "{} {}", whole_values.size(), whole_size_);
  std::vector<float> core(layout_.size);
  for (std::size_t m = 0; m < modules_.size(); ++m) {
    const Module& module = modules_[m];
    const float* b = whole_values.data() + module.offset;  // [out, rank]
    float* r = core.data() + layout_.entries[m].offset;    // [rank, rank]
    for (std::size_t k = 0; k < module.rank; ++k)
      for (std::size_t j = 0; j < module.rank; ++j) {
        double sum = 0;
        for (std::size_t i = 0; i < module.out; ++i)
          sum += static_cast<double>(module.columns[k * module.out + i]) * b[i * module.rank + j];
        r[k * module.rank + j] = static_cast<float>(sum);
      }
  }
  return core;
}

void CoreMap::add(const std::vector<float>& delta, std::vector<float>& adapter) const {
  CHECK(delta.size() == layout_.size && adapter.size() == whole_size_, "{} {} {} {}", delta.size(),
        layout_.size, adapter.size(), whole_size_);
  for (std::size_t m = 0; m < modules_.size(); ++m) {
    const Module& module = modules_[m];
    const float* r = delta.data() + layout_.entries[m].offset;
    float* b = adapter.data() + module.offset;
    for (std::size_t i = 0; i < module.out; ++i)
      for (std::size_t j = 0; j < module.rank; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < module.rank; ++k)
          sum += static_cast<double>(module.columns[k * module.out + i]) * r[k * module.rank + j];
        b[i * module.rank + j] += static_cast<float>(sum);
      }
  }
}

}  // namespace freshet
