#include "coordinator/robust_summing.h"

#include <algorithm>

#include "aggregation/robust/combine.h"
#include "aggregation/robust/shares.h"
#include "aggregation/robust/sum_audit.h"
#include "base/check.h"

namespace freshet {
namespace {

class Parts {
 public:
  Parts(const BlobStore& uploads, const RoundShape& shape, const Identity& coordinator,
        const SumPlan& sum)
      : uploads_(uploads), shape_(shape), coordinator_(coordinator), sum_(sum) {}

  std::size_t count() const { return sum_.parts.size(); }

  // Coordinates [first, first + entries) of the updates that have a share; zeros of the others.
  // `spoiled` takes those that are no valid part.
  Result<OpenedBlock> block(std::size_t first, std::size_t entries, std::span<const double> shares,
                            std::vector<NodeId>& spoiled) const {
    OpenedBlock block(count(), entries);
    for (std::size_t i = 0; i < count(); ++i) {
      if (shares[i] == 0) continue;
      const round::Survivor& part = sum_.parts[i];
      TRY_ASSIGN(MappedFile file, uploads_.map(part.upload));
      auto update = open_part(file.view(), shape_, coordinator_,
                              {sum_.campaign, sum_.round, part.node, shape_.digest});
      if (update)
        block.set(i, *update, first);
      else
        spoiled.push_back(part.node);
    }
    return block;
  }

 private:
  const BlobStore& uploads_;
  const RoundShape& shape_;
  const Identity& coordinator_;
  const SumPlan& sum_;
};

std::size_t block_entries(const SumPlan& sum, std::size_t entries) {
  const std::size_t fit = sum.block_bytes / (sum.parts.size() * sizeof(float));
  return std::clamp<std::size_t>(fit, 1, entries);
}

// Rules see updates in steps of the grid: moving and stretching all of them moves and stretches
// what a rule makes of them, but for the geometric median's floor, which is a length.
RobustRule in_steps(RobustRule rule, double step) {
  if (auto* median = std::get_if<GeometricMedian>(&rule)) median->floor /= step;
  return rule;
}

}  // namespace

Result<QuantizedUpdate> open_part(ByteView sealed, const RoundShape& shape,
                                  const Identity& coordinator, const UpdateContext& context) {
  const Grid& grid = shape.plan.grid;
  TRY_ASSIGN(QuantizedUpdate update,
             open_update(sealed, grid, shape.phase.size, coordinator, context));
  QuantizedSum alone;
  TRY(add(alone, update, grid));
  TRY(check_norm(update, shape.plan.clip, grid));
  return update;
}

Result<RobustSum> robust_sum(const BlobStore& uploads, const RoundShape& shape,
                             const Identity& coordinator, const SumPlan& sum) {
  const Grid& grid = shape.plan.grid;
  const std::size_t entries = shape.phase.size, updates = sum.parts.size();
  CHECK(check_enough(sum.rule, static_cast<std::uint32_t>(updates)), "{} over {} updates",
        name_of(sum.rule), updates);
  const double step = 2.0 * static_cast<double>(grid.range) /
                      static_cast<double>((std::uint32_t{1} << grid.bits) - 1);
  const RobustRule rule = in_steps(sum.rule, step);
  const Parts parts(uploads, shape, coordinator, sum);
  const std::size_t size = block_entries(sum, entries);
  std::vector<double> shares(updates, 1.0 / static_cast<double>(updates));
  std::optional<OpenedBlock> whole;  // where one block is all
  RobustSum made;
  if (needs_distances(rule)) {
    Distances distances(updates);
    for (std::size_t first = 0; first < entries && made.spoiled.empty(); first += size) {
      TRY_ASSIGN(OpenedBlock block,
                 parts.block(first, std::min(size, entries - first), shares, made.spoiled));
      distances.add(block);
      if (size == entries) whole = std::move(block);
    }
    if (!made.spoiled.empty()) return made;
    shares = shares_of(rule, distances);
  }
  made.mean.values.resize(entries);
  for (std::size_t first = 0; first < entries && made.spoiled.empty(); first += size) {
    if (!whole) {
      TRY_ASSIGN(OpenedBlock block,
                 parts.block(first, std::min(size, entries - first), shares, made.spoiled));
      whole = std::move(block);
    }
    const std::vector<double> values = combine(rule, shares, *whole);
    for (std::size_t i = 0; i < values.size(); ++i)
      made.mean.values[first + i] =
          static_cast<float>(values[i] * step - static_cast<double>(grid.range));
    whole.reset();
  }
  made.mean.count = static_cast<std::uint32_t>(updates);
  made.mean.total_weight = static_cast<double>(updates);
  return made;
}

}  // namespace freshet
