#include "coordinator/summing.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "coordinator/refactoring.h"
#include "coordinator/robust_summing.h"
#include "crypto/digest.h"

namespace freshet {
namespace {

// Moments belong to the factors they were taken over: A's and B's live side by side where a method
// alternates.
struct MomentBook {
  Moments slots[4];
};
std::size_t slot_of(Factors factors) { return (factors.a ? 2u : 0u) + (factors.b ? 1u : 0u); }

// u64 lengths of first and second of the four slots, then their values.
Bytes to_bytes(const MomentBook& book) {
  Bytes bytes;
  auto append = [&bytes](ByteView view) { bytes.insert(bytes.end(), view.begin(), view.end()); };
  for (const Moments& slot : book.slots) {
    const std::uint64_t lengths[2] = {slot.first.size(), slot.second.size()};
    append(as_bytes(std::span<const std::uint64_t>(lengths)));
  }
  for (const Moments& slot : book.slots) {
    append(as_bytes(std::span<const float>(slot.first)));
    append(as_bytes(std::span<const float>(slot.second)));
  }
  return bytes;
}

Result<MomentBook> moments_from(ByteView bytes) {
  MomentBook book;
  std::uint64_t lengths[8];
  if (bytes.size() < sizeof lengths)
    return fail(Code::kCorrupt, "moments of the server rule: too short");
  std::memcpy(lengths, bytes.data(), sizeof lengths);
  bytes = bytes.subspan(sizeof lengths);
  for (std::size_t i = 0; i < 8; ++i) {
    std::vector<float>& values = i % 2 == 0 ? book.slots[i / 2].first : book.slots[i / 2].second;
    if (lengths[i] > bytes.size() / sizeof(float))
      return fail(Code::kCorrupt, "moments of the server rule: too short");
    values.resize(lengths[i]);
    if (!values.empty()) std::memcpy(values.data(), bytes.data(), lengths[i] * sizeof(float));
    bytes = bytes.subspan(lengths[i] * sizeof(float));
  }
  return book;
}

Path moments_file(const Path& folder, VersionId version) {
  return folder / fmt::format("moments-{}", version.value);
}

Result<MomentBook> load_moments(const SumPlan& sum, const ServerRule& rule) {
  if (sum.begins_anew) return MomentBook{};
  const Path path = moments_file(sum.moments, sum.base);
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    TRY_ASSIGN(MappedFile file, MappedFile::open(path));
    return moments_from(file.view());
  }
  if (sum.base.value == 0 || std::holds_alternative<Sgd>(rule)) return MomentBook{};
  return fail(Code::kCorrupt,
              path.string() + ": missing; the campaign cannot go on without its moments");
}

Result<void> save_moments(const SumPlan& sum, const MomentBook& book) {
  bool any = false;
  for (const Moments& each : book.slots) any = any || !each.first.empty() || !each.second.empty();
  if (!any) return {};
  return write_file_durably(moments_file(sum.moments, {sum.base.value + 1}), to_bytes(book), 0600);
}

Result<MeanUpdate> plain_mean(const BlobStore& uploads, const RoundShape& shape,
                              const Identity& coordinator, const SumPlan& sum,
                              std::vector<NodeId>& spoiled) {
  const Grid& grid = shape.plan.grid;
  QuantizedSum total{std::vector<std::uint32_t>(shape.phase.size + 1, 0), 0};
  for (const round::Survivor& part : sum.parts) {
    const UpdateContext context{sum.campaign, sum.round, part.node, shape.digest};
    TRY_ASSIGN(MappedFile file, uploads.map(part.upload));
    auto update = open_part(file.view(), shape, coordinator, context);
    if (!update || !add(total, *update, grid)) spoiled.push_back(part.node);
  }
  if (!spoiled.empty()) return MeanUpdate{};
  return dequantize_mean(total, grid);
}

// Empty where somebody spoiled it.
Result<MeanUpdate> mean_of(const BlobStore& uploads, const RoundShape& shape,
                           const Identity& coordinator, const SumPlan& sum,
                           std::vector<NodeId>& spoiled) {
  if (!needs_single_updates(sum.rule)) return plain_mean(uploads, shape, coordinator, sum, spoiled);
  TRY_ASSIGN(RobustSum made, robust_sum(uploads, shape, coordinator, sum));
  spoiled = std::move(made.spoiled);
  return std::move(made.mean);
}

}  // namespace

Digest layout_digest(const Layout& layout) {
  return digest_of("freshet/layout/v1", canonical_bytes(layout));
}

RoundShape round_shape(const CampaignPlan& plan, const Layout& whole, VersionId base) {
  const Factors factors = factors_of(plan.method, base.value);
  Layout phase = plan.logits.on ? whole : phase_layout(whole, factors.a, factors.b, factors.core);
  const Digest digest = layout_digest(phase);
  return {plan, whole, factors, std::move(phase), digest};
}

Result<void> check_update(ByteView sealed, const RoundShape& shape, const Identity& coordinator,
                          const UpdateContext& context) {
  TRY(open_part(sealed, shape, coordinator, context));
  return {};
}

Result<Sum> add_and_step(Blobs blobs, const RoundShape& shape, const Identity& coordinator,
                         const SumPlan& sum) {
  Sum made;
  TRY_ASSIGN(MeanUpdate mean, mean_of(blobs.uploads, shape, coordinator, sum, made.spoiled));
  if (!made.spoiled.empty()) return made;
  TRY_ASSIGN(made.adapter, step_with(blobs, shape, sum, mean));
  return made;
}

Result<Digest> step_with(Blobs blobs, const RoundShape& shape, const SumPlan& sum,
                         const MeanUpdate& mean) {
  TRY_ASSIGN(MomentBook book, load_moments(sum, shape.plan.rule));
  Moments& slot = book.slots[slot_of(shape.factors)];
  for (const auto* values : {&slot.first, &slot.second})
    if (!values->empty() && values->size() != mean.values.size())
      return fail(Code::kCorrupt, "moments of the server rule: another layout");
  ServerStep stepped = server_step(shape.plan.rule, std::move(slot), mean);
  slot = std::move(stepped.moments);
  TRY_ASSIGN(std::vector<float> adapter,
             load_floats(blobs.adapters, sum.adapter, shape.whole.size));
  scatter_add(shape.whole, shape.phase, stepped.delta, adapter);
  if (refactors(shape.plan.method)) refactor_modules(shape.whole, adapter);
  TRY(save_moments(sum, book));
  return store_floats(blobs.adapters, adapter);
}

Result<void> drop_moments_before(const Path& folder, VersionId version) {
  std::error_code error;
  for (std::uint64_t at = version.value;
       at-- > 0 && std::filesystem::remove(moments_file(folder, {at}), error);) {
  }
  if (error)
    return fail(Code::kBadInput,
                "cannot remove old moments in " + folder.string() + ": " + error.message());
  return {};
}

Result<std::vector<float>> load_floats(const BlobStore& blobs, const Digest& digest,
                                       std::size_t entries) {
  TRY_ASSIGN(MappedFile file, blobs.map(digest));
  if (file.view().size() != entries * sizeof(float))
    return fail(Code::kCorrupt, fmt::format("adapter {}: {} bytes, want {} entries",
                                            short_hex(digest), file.view().size(), entries));
  std::vector<float> values(entries);
  if (entries != 0) std::memcpy(values.data(), file.view().data(), file.view().size());
  for (float value : values)
    if (!std::isfinite(value))
      return fail(Code::kCorrupt, fmt::format("adapter {}: not finite", short_hex(digest)));
  return values;
}

Result<Digest> store_floats(BlobStore& blobs, const std::vector<float>& values) {
  return blobs.put(as_bytes(std::span<const float>(values)));
}

}  // namespace freshet
