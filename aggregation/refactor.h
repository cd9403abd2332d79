#pragma once
// The same product from other factors: FedSVD's server step (Lee et al. 2025, arXiv:2505.12805). A
// gets orthonormal rows, so that gradients of B have the scale of the loss's own and less of them
// is clipped; B takes up what A lost. A function of the published factors alone, so that under
// differential privacy it costs nothing.

#include <span>

namespace freshet {

struct FactorShape {
  int rank, in, out;
};

// B A = U S V^T; A <- V^T, B <- U S. Where B A has a lower rank than `rank`, the rows of A that are
// left over span what A spanned, and what they multiply in B is zero; for B = 0 nothing changes.
// In double, deterministic. REQUIRES: rank <= in; a [rank, in], b [out, rank], row-major, finite.
void refactor(std::span<float> a, std::span<float> b, const FactorShape& shape);

}  // namespace freshet
