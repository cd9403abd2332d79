#include "crypto/secagg/recovery_subsets.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/limits.h"
#include "base/rng.h"

namespace freshet::secagg {
namespace {

// The next subset in lexicographic order; false after the last.
bool advance(std::vector<std::size_t>& places, std::size_t total) {
  const std::size_t count = places.size();
  for (std::size_t i = count; i-- > 0;) {
    if (places[i] == total - count + i) continue;
    ++places[i];
    for (std::size_t j = i + 1; j < count; ++j) places[j] = places[j - 1] + 1;
    return true;
  }
  return false;
}

bool subsets_are_few(std::size_t total, std::size_t count) {
  double subsets = 1;
  for (std::size_t i = 0; i < count; ++i)
    subsets *= static_cast<double>(total - i) / static_cast<double>(count - i);
  return subsets <= limits::kShareSubsetsMax;
}

}  // namespace

void ShareSet::add(std::uint32_t x, const Scalar& value) {
  xs_.push_back(x);
  values_.push_back(value);
}

void ShareSet::erase_if(const std::function<bool(std::uint32_t, const Scalar&)>& wrong) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < xs_.size(); ++i) {
    if (wrong(xs_[i], values_[i])) continue;
    xs_[kept] = xs_[i];
    values_[kept++] = values_[i];
  }
  xs_.resize(kept);
  values_.resize(kept);
}

Scalar ShareSet::first(std::size_t threshold, FactorsOf& factors) const {
  CHECK(size() >= threshold, "{} of {} shares", size(), threshold);
  const std::vector<std::uint32_t> xs(xs_.begin(),
                                      xs_.begin() + static_cast<std::ptrdiff_t>(threshold));
  auto known = factors.find(xs);
  if (known == factors.end()) known = factors.emplace(xs, lagrange(xs)).first;
  return combine(known->second, std::span(values_).first(threshold));
}

Scalar ShareSet::at(std::span<const std::size_t> places, std::uint32_t x) const {
  std::vector<std::uint32_t> xs;
  std::vector<Scalar> values;
  for (const std::size_t place : places) {
    xs.push_back(xs_[place]);
    values.push_back(values_[place]);
  }
  return combine(lagrange(xs, x), values);
}

std::vector<std::uint32_t> ShareSet::off_polynomial(std::span<const std::size_t> on) const {
  std::vector<std::uint32_t> off;
  for (std::size_t i = 0; i < size(); ++i)
    if (std::ranges::find(on, i) == on.end() && at(on, xs_[i]) != values_[i]) off.push_back(xs_[i]);
  return off;
}

std::optional<ShareSet::Found> ShareSet::search(
    std::size_t threshold, const std::function<bool(const Scalar&)>& is_right) const {
  CHECK(size() >= threshold, "{} of {} shares", size(), threshold);
  std::vector<std::size_t> places(threshold), order(size());
  std::iota(places.begin(), places.end(), 0);
  std::iota(order.begin(), order.end(), 0);
  const bool all = subsets_are_few(size(), threshold);
  Rng rng(size(), threshold);  // which subsets are tried need be no secret
  for (std::uint32_t tried = 0; tried < limits::kShareSubsetsMax; ++tried) {
    const Scalar secret = at(places, 0);
    if (is_right(secret)) return Found{secret, off_polynomial(places)};
    if (all && !advance(places, size())) break;
    if (all) continue;
    for (std::size_t i = 0; i < threshold; ++i)
      std::swap(order[i], order[i + rng.below(size() - i)]);
    std::copy_n(order.begin(), threshold, places.begin());
  }
  return std::nullopt;
}

}  // namespace freshet::secagg
