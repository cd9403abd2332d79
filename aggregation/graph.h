#pragma once
// Who masks with whom. Every two members of a cohort up to limits::kCompleteGraphMax; above that, a
// Harary graph on a random ring with as few neighbours as keep the honest survivors connected and
// every secret recoverable (Bell et al. 2020, eprint 2020/704, section 3 and its lemmas).

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace freshet {

struct GraphPlan {
  std::uint32_t degree = 0;     // neighbours of each member; n - 1: complete
  std::uint32_t threshold = 0;  // shares that rebuild a secret, of degree + 1
  std::uint32_t quorum =
      0;  // signatures under one survivor list, of all n: above (1 + gamma) n / 2
  bool complete = false;
  bool operator==(const GraphPlan&) const = default;
};

struct GraphTarget {
  double corrupt = 1.0 / 3;   // gamma: share of members that may collude
  double dropped = 1.0 / 3;   // delta: share of members that may vanish
  int security_bits = 80;     // secrecy fails with at most 2^-security_bits
  int correctness_bits = 20;  // the sum is lost with at most 2^-correctness_bits
  // Without a quorum of signatures over one survivor list the graph itself must keep a coordinator
  // from two lists, which needs far more neighbours. Our rounds have that quorum.
  bool quorum = true;
  // Honest members around each member, itself included, whomever of the others a coordinator leaves
  // out once it knows the graph: a member goes on only while the threshold of its neighbourhood
  // does, and so many of them are not corrupt. What is opened is then a sum over as many at least.
  std::uint32_t honest_min = 1;
  // Share of members that can be missing among survivors whom the quorum lets through. So many may
  // be lost by chance; who tries seeds has no use for that, since who chooses drop-outs knows the
  // graph and honest_min is what holds against him.
  double left_out = 0;
  // 2^tried_seed_bits seeds can be tried until one serves those who collude: so much more security
  // against where the corrupt stand, and against drop-outs as planned.
  int tried_seed_bits = 0;
};

// A coordinator and the last who advertises can try seeds until the members wait no longer.
inline constexpr int kTriedSeedBits = 40;

// The least degree that meets the target. kBadInput when not even the complete graph does.
Result<GraphPlan> plan_graph(std::uint32_t n, const GraphTarget& target);
// The complete graph on n with floor(2n/3) + 1, or the least t > (1 + corrupt) n / 2 if larger.
Result<GraphPlan> plan_complete(std::uint32_t n, double corrupt);
// What a round uses: complete up to kCompleteGraphMax; planned above, with kTriedSeedBits and all
// left out that the quorum lets be.
Result<GraphPlan> plan_round_graph(std::uint32_t n, const GraphTarget& target);

// Neighbours of all members, each list rising. A degree of n - 1 joins every two; else members
// stand on a ring in an order drawn from `seed`, each joined to degree / 2 on either side.
class Graph {
 public:
  // REQUIRES: degree < n, and even or n - 1.
  Graph(const Digest& seed, std::uint32_t n, std::uint32_t degree);
  std::vector<std::uint32_t> neighbours(std::uint32_t index) const;

 private:
  std::uint32_t n_, degree_;
  std::vector<std::uint32_t> ring_, place_;  // member at a place, place of a member
};

}  // namespace freshet
