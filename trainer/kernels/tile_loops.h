// Included by the tile_*.cpp alone, after FRESHET_TILE_LANES, _ROWS and _VECTORS are defined: the
// loops for one instruction set, in a namespace without a name.

#include "trainer/kernels/tile_dot.h"
#include "trainer/kernels/tile_multiply.h"
#include "trainer/kernels/tile_pack.h"

namespace freshet::kernels {
namespace {

constexpr TileLoops kLoops = {kLanes, pack_loop, multiply_loop, dot_rows_loop, to_bf16_loop};

}  // namespace
}  // namespace freshet::kernels
