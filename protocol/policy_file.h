#pragma once
// What a node gives, by its owner's word, as one TOML file (docs/node-policy.md). Whatever a
// coordinator asks for beyond it is refused; without a file the defaults hold, which are the safe
// ones.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/device_rules.h"
#include "protocol/plan.h"

namespace freshet {

struct NodePolicy {
  // [campaigns]
  std::vector<std::string> names;  // of campaigns, `*` for any letters; empty: all
  std::vector<Mode> modes{Mode::kMasked};
  std::vector<Method> methods;   // empty: all
  std::vector<Digest> models;    // empty: the one that the node holds
  std::vector<Digest> layouts;   // of phases; empty: what plan and model give
  std::vector<Digest> questions;  // of campaigns of logits that it answers; empty: none
  std::uint32_t weight_max = 1;   // of this node in a sum
  bool evaluation = true;        // lend held-out totals to the masked sum where a plan asks
  // [cohort]
  std::uint32_t honest_min = 4;  // survivors that are honest, at least, if `corrupt` are not
  Fraction corrupt{1, 3};        // of a roster, that may work with the coordinator
  Fraction newcomers{1, 1};      // of a roster, that may have enrolled lately
  std::uint32_t newcomer_days = 7;
  // [privacy]
  std::optional<double> epsilon_max;  // over this node's life; set: no round without noise
  double delta = 1e-5;                // at which epsilon is counted
  DeviceRules training;               // [training]
  DataRules data;                     // [data]

  bool operator==(const NodePolicy&) const = default;
};

// kBadInput with file, line and what to write instead. `source` names the file.
Result<NodePolicy> parse_policy_file(std::string_view toml, std::string_view source);
// With a comment over every key; parse_policy_file() gives it back.
std::string to_toml(const NodePolicy& policy);

}  // namespace freshet
