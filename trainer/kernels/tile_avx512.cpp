#define FRESHET_TILE_NAME "avx512"
#define FRESHET_TILE_LANES 16
#define FRESHET_TILE_ROWS 8
#define FRESHET_TILE_VECTORS 3
#include "trainer/kernels/tile_loops.h"

namespace freshet::kernels {
const TileLoops& tile_loops_avx512() { return kLoops; }
}  // namespace freshet::kernels
