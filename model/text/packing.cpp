#include "model/text/packing.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/rng.h"

namespace freshet {
namespace {

constexpr std::size_t kOpenRows = 128;  // that a piece may still join: more gain next to nothing

bool has_target(const TokenStream& stream, const Piece& piece) {
  for (std::size_t i = piece.first; i < piece.first + static_cast<std::size_t>(piece.length); ++i)
    if (stream.counts_at(i + 1)) return true;
  return false;
}

class Packer {
 public:
  explicit Packer(int window) : window_(window) {}

  void put(const Piece& piece) {
    auto best = open_.end();
    for (auto row = open_.begin(); row != open_.end(); ++row)
      if (row->room >= piece.length && (best == open_.end() || row->room < best->room)) best = row;
    if (best == open_.end()) {
      open_.push_back({rows_.size(), window_});
      best = std::prev(open_.end());
      rows_.emplace_back();
    }
    rows_[best->row].pieces.push_back(piece);
    best->room -= piece.length;
    if (best->room == 0)
      open_.erase(best);
    else if (open_.size() > kOpenRows)
      open_.erase(std::min_element(open_.begin(), open_.end(),
                                   [](const Open& a, const Open& b) { return a.room < b.room; }));
  }

  std::vector<PackedRow> rows() && { return std::move(rows_); }

 private:
  struct Open {
    std::size_t row;
    int room;
  };
  int window_;
  std::vector<Open> open_;
  std::vector<PackedRow> rows_;
};

}  // namespace

std::vector<PackedRow> pack(const TokenStream& stream, int window) {
  CHECK(window >= 2, "{}", window);
  check_stream(stream);
  Packer packer(window);
  for (std::size_t document = 0; document < stream.starts.size(); ++document) {
    const std::size_t last = stream.end_of(document) - 1;  // is a target, never an input
    for (std::size_t at = stream.starts[document]; at < last;) {
      const auto length = std::min(static_cast<std::size_t>(window), last - at);
      const Piece piece{at, static_cast<int>(length)};
      if (has_target(stream, piece)) packer.put(piece);
      at += length;
    }
  }
  return std::move(packer).rows();
}

std::vector<std::uint32_t> epoch_order(std::size_t rows, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<std::uint32_t> order(rows);
  std::iota(order.begin(), order.end(), 0u);
  Rng rng(seed, epoch);
  for (std::size_t left = rows; left > 1; --left)  // Fisher and Yates
    std::swap(order[left - 1], order[rng.below(left)]);
  return order;
}

PackingFigures figures_of(const TokenStream& stream, const std::vector<PackedRow>& rows,
                          int window) {
  PackingFigures figures{rows.size(), 0, 0, 0};
  for (const PackedRow& row : rows) {
    for (const Piece& piece : row.pieces) {
      const auto length = static_cast<std::size_t>(piece.length);
      figures.inputs += length;
      for (std::size_t i = 0; i < length; ++i)
        figures.targets += stream.counts_at(piece.first + i + 1);
    }
  }
  const auto places = static_cast<double>(rows.size()) * window;
  if (places > 0) figures.padding = 1 - static_cast<double>(figures.inputs) / places;
  return figures;
}

}  // namespace freshet
