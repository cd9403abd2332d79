#pragma once
// What the nodes of a learning simulation do, on several threads with one model.

#include <functional>

#include "aggregation/updates.h"
#include "simulations/learning/fleet.h"

namespace freshet {

// Calls work(i) for i in [0, count) on `threads` threads, each computing on one; the first error in
// order of i.
Result<void> over_nodes(std::size_t count, int threads,
                        const std::function<Result<void>(std::size_t)>& work);

FinetunePlan training_of(const CampaignPlan& plan, Factors factors, std::uint64_t version,
                         std::size_t node);

// What the node learned from `adapter`, in the order of the version's phase; not clipped.
Result<Update> train_node(LanguageModel& model, const CampaignPlan& plan, const Layout& whole,
                          const std::vector<float>& adapter, std::uint64_t version,
                          std::size_t node, const Corpus& corpus);

// Held-out bits per byte by node; of one adapter, or of each node's own.
Result<std::vector<double>> measure(LanguageModel& model, const std::vector<FleetNode>& nodes,
                                    const FleetPlan& plan,
                                    const std::vector<std::vector<float>>& adapters);
double mean_of(const std::vector<double>& values);

}  // namespace freshet
