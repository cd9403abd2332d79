#pragma once
// What an attack proves about a mechanism's epsilon from a single run with many canaries, each in
// it or not by a fair coin (Steinke, Nasr and Jagielski 2023, arXiv:2305.08846, theorem 5.2 with
// delta 0): guessing right more often than e^epsilon / (1 + e^epsilon) is unlikely.

#include <cstdint>

namespace freshet {

// The largest epsilon that `right` of `guesses` rule out at this confidence; 0 where they rule out
// none. REQUIRES: right <= guesses, 0 < confidence < 1.
double audited_epsilon(std::uint32_t guesses, std::uint32_t right, double confidence = 0.95);

}  // namespace freshet
