#pragma once
// A version that is taken back to an earlier one is a version of its own, and under masks it needs
// an adapter of its own: nodes know bases by the digest of their bytes and mask from each once. One
// number of the earlier adapter is moved by its last bit, away from zero, another one for every
// version; a zero first changes its sign, which changes nothing.

#include <vector>

#include "base/ids.h"

namespace freshet {

// REQUIRES: adapter is not empty.
std::vector<float> told_apart(std::vector<float> adapter, VersionId version);

}  // namespace freshet
