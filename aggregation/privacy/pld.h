#pragma once
// Privacy loss distributions of Gaussian noise under Poisson sampling, composed by FFT (Koskela et
// al. 2020, arXiv:1906.03049; the grid: Doroshenko et al. 2022, arXiv:2207.04380). Tight where
// Renyi accounting is loose by some percent.

#include <span>

#include "aggregation/privacy/rdp.h"

namespace freshet {

// How a loss between two points of the grid is put onto them.
enum class Rounding {
  kDown,     // a bound from below
  kBetween,  // onto both, keeping the mass of either distribution: above the truth by O(grid^2)
  kUp,       // a bound from above
};

// The larger of both adjacencies (a node more, a node less). `slack` is left out. Infinity where a
// release has no noise.
double pld_epsilon(std::span<const Release> releases, double delta,
                   Rounding rounding = Rounding::kBetween);
double pld_delta(std::span<const Release> releases, double epsilon,
                 Rounding rounding = Rounding::kBetween);

// delta of Gaussian noise at `epsilon`, exactly (Balle and Wang 2018, arXiv:1805.06530, theorem 8);
// T releases of multiplier sigma are one of sigma / sqrt(T).
double gaussian_delta(double multiplier, double epsilon);
double gaussian_epsilon(double multiplier, double delta);

}  // namespace freshet
