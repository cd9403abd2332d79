#pragma once
// A model that is read whole for every token, over and over: from memory of large pages that goes
// half as fast again as from a mapped file.

#include <cstdint>

#include "trainer/transformer/transformer.h"

namespace freshet {

std::uint64_t matrix_bytes(const Transformer& model);  // of all its matrices, scales included

// Copies every matrix into memory of this process and lets the files go.
void move_to_large_pages(Transformer& model);

// Whether memory is plenty: as much is free as the copy takes, twice, on the machine and in the
// container that this process runs in.
bool has_room_for_copy(const Transformer& model);

}  // namespace freshet
