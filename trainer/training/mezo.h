#pragma once
// MeZO (Malladi et al. 2023, arXiv:2305.17333) with random signs: an adapter is moved along
// directions that a public seed fixes, by a number that two forward passes give. The signs come
// from the counter-based generator of base/rng.h, so they are the same on every device. The seed
// form (FedKSeed, arXiv:2312.06353) keeps one number for each of K directions: they alone describe
// what was learnt.

#include <cstdint>
#include <span>
#include <vector>

#include "model/adapter.h"

namespace freshet {

// to = from + factor * signs(seed, direction), over the factors A where `a` and B where `b`;
// elsewhere to = from.
void move_along(const Layout& whole, bool a, bool b, std::uint64_t seed, std::uint64_t direction,
                float factor, const std::vector<float>& from, std::vector<float>& to);

// initial + sum over directions of factors[j] * signs(seed, j), added in the order of j: bit for
// bit the same everywhere.
std::vector<float> replay_directions(const Layout& whole, bool a, bool b, std::uint64_t seed,
                                     std::span<const double> factors, std::vector<float> initial);

}  // namespace freshet
