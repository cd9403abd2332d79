#pragma once
// Rows of a fixed number of tokens, filled with pieces of documents, for training in which no
// document sees another: the trainer masks attention between the pieces of a row. Every id that
// counts and follows another one of its document is a target exactly once, in one piece.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/text/token_stream.h"

namespace freshet {

// Inputs are ids[first, first + length); their targets ids[first + 1, first + length + 1), all of
// one document.
struct Piece {
  std::size_t first = 0;
  int length = 0;
};

struct PackedRow {
  std::vector<Piece> pieces;  // never empty; their lengths add up to `window` at most
};

// In the order of the stream: a document longer than `window` is cut into whole windows and a rest;
// a piece goes into the fullest row that has room for it, of the emptiest ones, else into a new
// one. Pieces with no target that counts are left out. Deterministic. REQUIRES: window >= 2.
std::vector<PackedRow> pack(const TokenStream& stream, int window);

// The order of rows in epoch `epoch`: a permutation that `seed` and `epoch` fix.
std::vector<std::uint32_t> epoch_order(std::size_t rows, std::uint64_t seed, std::uint64_t epoch);

// What the rows hold: of rows * window places, those with an input and those whose target counts.
struct PackingFigures {
  std::size_t rows = 0, inputs = 0, targets = 0;
  double padding = 0;  // share of the places that hold no input
};
PackingFigures figures_of(const TokenStream& stream, const std::vector<PackedRow>& rows,
                          int window);

}  // namespace freshet
