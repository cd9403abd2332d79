#pragma once
// The shares of one secret as they come in, and the search for the secret when some are wrong.

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "crypto/secagg/shamir.h"

namespace freshet::secagg {

class ShareSet {
 public:
  void add(std::uint32_t x, const Scalar& value);
  std::size_t size() const { return xs_.size(); }
  void erase_if(const std::function<bool(std::uint32_t, const Scalar&)>& wrong);

  using FactorsOf = std::map<std::vector<std::uint32_t>, std::vector<Scalar>>;
  // Of the first `threshold` shares. `factors` keeps what is the same for every secret of a round.
  Scalar first(std::size_t threshold, FactorsOf& factors) const;

  struct Found {
    Scalar secret;
    std::vector<std::uint32_t> off;  // x of the shares that do not lie on its polynomial
  };
  // Tries other subsets, all of them where they are few, else limits::kShareSubsetsMax at random.
  std::optional<Found> search(std::size_t threshold,
                              const std::function<bool(const Scalar&)>& is_right) const;

 private:
  std::vector<std::uint32_t> off_polynomial(std::span<const std::size_t> on) const;
  Scalar at(std::span<const std::size_t> places, std::uint32_t x) const;

  std::vector<std::uint32_t> xs_;
  std::vector<Scalar> values_;
};

}  // namespace freshet::secagg
