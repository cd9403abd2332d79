// Included by the tile_*.cpp alone, after FRESHET_TILE_NAME, _LANES, _ROWS and _VECTORS are
// defined: the loops for one instruction set, in a namespace without a name.

#include "trainer/kernels/tile_dot.h"
#include "trainer/kernels/tile_multiply.h"
#include "trainer/kernels/tile_pack.h"

namespace freshet::kernels {
namespace {

#if defined(__AVX512BF16__)
constexpr bool kMultipliesBf16 = true;
#else
constexpr bool kMultipliesBf16 = false;
#endif

constexpr TileLoops kLoops = {FRESHET_TILE_NAME, kLanes,        kMultipliesBf16, pack_loop,
                              multiply_loop,     dot_rows_loop, to_bf16_loop};

}  // namespace
}  // namespace freshet::kernels
