#include "coordinator/masked_sum.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "aggregation/mask.h"
#include "aggregation/privacy/noisy_update.h"
#include "aggregation/robust/sum_audit.h"
#include "base/check.h"
#include "crypto/digest.h"

namespace freshet {
namespace {

Result<MaskedSum> add_all(const BlobStore& uploads, const Descriptor& d,
                          std::span<const round::Survivor> parts, std::size_t entries) {
  const int bits = static_cast<int>(d.word_bits);
  const std::size_t words = masked_word_count(d, entries);
  MaskedSum sum{std::vector<std::uint32_t>(words, 0), 0, bits};
  for (const round::Survivor& part : parts) {
    TRY_ASSIGN(const MappedFile file, uploads.map(part.upload));
    CHECK(file.view().size() == masked_frame_bytes(d, entries), "an upload of {} bytes",
          file.view().size());
    TRY(add_packed(sum, file.view().subspan(kFrameSignatureBytes), words, bits));
  }
  return sum;
}

// Every survivor weighs at least 1 and at most what the grid lets it.
Result<void> check_weight(const QuantizedSum& sum, const Grid& grid) {
  const std::uint64_t weight = sum.words.back();
  if (weight >= sum.count && weight <= std::uint64_t{sum.count} * grid.weight_max) return {};
  return fail(Code::kBadInput,
              fmt::format("the sum weighs {}: {} updates weigh {} to {}", weight, sum.count,
                          sum.count, std::uint64_t{sum.count} * grid.weight_max));
}

Result<NoisyMean> mean_of(const QuantizedSum& sum, const Descriptor& d) {
  TRY(check_weight(sum, d.grid));
  if (d.noise.on()) return noisy_mean(sum, d.grid, d.noise, static_cast<int>(d.word_bits));
  NoisyMean made;
  TRY_ASSIGN(made.mean, dequantize_mean(sum, d.grid));
  return made;
}

// Deviation of the noise in one entry of the mean.
Result<double> noise_in_mean(const Descriptor& d, std::uint32_t count, std::size_t entries) {
  if (!d.noise.on()) return 0.0;
  TRY_ASSIGN(const Noise noise, noise_of(d.noise, d.clip, d.grid, entries));
  const double step = 2.0 * d.grid.range / (std::exp2(d.grid.bits) - 1);
  return noise.sigma_of_sum(count) * step / count;
}

}  // namespace

Result<MaskedMean> masked_mean(const BlobStore& uploads, const RoundBook& book,
                               std::span<const round::Survivor> parts, std::size_t entries) {
  CHECK(book.recovery() != nullptr, "a sum is opened before its shares are there");
  const Descriptor& d = book.descriptor();
  TRY_ASSIGN(MaskedSum masked, add_all(uploads, d, parts, entries));
  QuantizedSum sum = unmask(std::move(masked), *book.recovery());
  MaskedMean made;
  made.sum = digest_of("freshet/sum/v1", as_bytes(std::span<const std::uint32_t>(sum.words)));
  if (d.extras != 0) {
    TRY_ASSIGN(made.totals, take_evaluation(sum, d.grid));
  }
  TRY_ASSIGN(NoisyMean noisy, mean_of(sum, d));
  made.mean = std::move(noisy.mean);
  made.share_within = noisy.share_within;
  TRY_ASSIGN(const double noise, noise_in_mean(d, sum.count, entries));
  TRY(check_norm(made.mean, d.clip, d.grid, noise));
  return made;
}

double clip_after(const Descriptor& d, double share_within, const ClipRule& rule,
                  std::size_t entries) {
  const double longest = static_cast<double>(d.grid.range) * std::sqrt(entries);
  const double step = 2.0 * static_cast<double>(d.grid.range) / (std::exp2(d.grid.bits) - 1);
  const double next = std::clamp(next_clip(d.clip, share_within, rule), step, longest);
  const auto noise = noise_of(d.noise, next, d.grid, entries);
  if (!noise || !word_bits(d.grid, d.cohort_max, noise->sigma_of_sum(d.cohort_max))) return d.clip;
  return next;
}

}  // namespace freshet
