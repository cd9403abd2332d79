#define FRESHET_TILE_NAME "avx2"
#define FRESHET_TILE_LANES 8
#define FRESHET_TILE_ROWS 4
#define FRESHET_TILE_VECTORS 2
#include "trainer/kernels/tile_loops.h"

namespace freshet::kernels {
const TileLoops& tile_loops_avx2() { return kLoops; }
}  // namespace freshet::kernels
