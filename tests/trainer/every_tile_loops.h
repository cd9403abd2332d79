#pragma once
// What a test says of products, it says of every set of loops that this processor runs.

#include <gtest/gtest.h>

#include "trainer/kernels/tile.h"

namespace freshet {

template <class Body>
void with_every_tile_loops(const Body& body) {
  for (const kernels::TileLoops* loops : kernels::tile_loops_here()) {
    SCOPED_TRACE(std::string("loops: ") + loops->name);
    kernels::use_tile_loops(*loops);
    body();
  }
  kernels::use_tile_loops(*kernels::tile_loops_here().back());
}

}  // namespace freshet
