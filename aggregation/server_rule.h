#pragma once
// Server optimisers on the mean update (Reddi et al. 2021, arXiv:2003.00295, algorithm 2; FedAvgM:
// Hsu et al. 2019, arXiv:1909.06335). No bias correction, as in the paper. Moments live as long as
// the campaign.

#include <string_view>
#include <variant>
#include <vector>

#include "aggregation/updates.h"
#include "base/result.h"

namespace freshet {

struct Sgd {  // x += lr * mean; lr 1 is FedAvg
  float lr = 1;
  bool operator==(const Sgd&) const = default;
};
struct Momentum {  // v = beta v + mean; x += lr v
  float lr = 1, beta = 0.9f;
  bool operator==(const Momentum&) const = default;
};
struct Adam {
  float lr = 0.01f, beta1 = 0.9f, beta2 = 0.99f, tau = 1e-3f;
  bool operator==(const Adam&) const = default;
};
struct Yogi {
  float lr = 0.01f, beta1 = 0.9f, beta2 = 0.99f, tau = 1e-3f;
  bool operator==(const Yogi&) const = default;
};
using ServerRule = std::variant<Sgd, Momentum, Adam, Yogi>;

struct Moments {  // empty means zeros; same length as the mean it goes with
  std::vector<float> first, second;
  bool operator==(const Moments&) const = default;
};

struct ServerStep {
  std::vector<float> delta;  // to add to the adapter entries of this phase
  Moments moments;
};

// REQUIRES: moments empty or of the mean's length.
ServerStep server_step(const ServerRule& rule, Moments moments, const MeanUpdate& mean);

std::string_view name_of(const ServerRule& rule);             // "sgd", "momentum", "adam", "yogi"
Result<ServerRule> server_rule_named(std::string_view name);  // with its defaults

}  // namespace freshet
