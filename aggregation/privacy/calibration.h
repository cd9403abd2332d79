#pragma once
// How much noise a budget asks for.

#include "aggregation/privacy/ledger.h"

namespace freshet {

// The least multiplier with which `rounds` releases keep within the budget by Renyi accounting.
// REQUIRES: a positive budget, 0 < rate <= 1, rounds >= 1.
double least_multiplier(const Budget& budget, double rate, std::uint32_t rounds);

// Of each round of a campaign: its noise_multiplier, or where it gives none the least for all its
// rounds. REQUIRES: plan.on.
NoisePlan noise_plan_of(const PrivacyPlan& plan, std::uint32_t rounds);

}  // namespace freshet
