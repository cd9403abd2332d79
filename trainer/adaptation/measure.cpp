#include "trainer/adaptation/measure.h"

#include <algorithm>
#include <cmath>

namespace freshet {
namespace {

void add_row(const float* z, int vocab, TokenId target, double& nll, Calibration& calibration) {
  const float* highest = std::max_element(z, z + vocab);
  double sum = 0;
  for (int i = 0; i < vocab; ++i) sum += std::exp(z[i] - *highest);
  nll += std::log(sum) - (z[target] - *highest);
  calibration.add(static_cast<float>(1 / sum), highest - z == target);
}

}  // namespace

void Calibration::add(float probability, bool is_right) {
  const auto bin =
      std::min(kBins - 1, static_cast<std::size_t>(probability * static_cast<float>(kBins)));
  count[bin] += 1;
  sure[bin] += static_cast<double>(probability);
  right[bin] += is_right ? 1 : 0;
}

void Calibration::add(const Calibration& more) {
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    count[bin] += more.count[bin];
    sure[bin] += more.sure[bin];
    right[bin] += more.right[bin];
  }
}

double Calibration::error() const {
  double apart = 0, all = 0;
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    apart += std::abs(right[bin] - sure[bin]);
    all += count[bin];
  }
  return all > 0 ? apart / all : 0;
}

Result<Measured> measure(LogitSource& source, std::span<const TokenId> tokens, std::uint64_t bytes,
                         int window, std::span<const std::uint8_t> counts) {
  if (tokens.size() < 2)
    return fail(Code::kBadInput, "nothing to measure: the text has fewer than two tokens");
  if (window < 1 || window > source.positions())
    return fail(Code::kBadInput, "a window of " + std::to_string(window) +
                                     " tokens does not fit the models' " +
                                     std::to_string(source.positions()) + " positions");
  Measured measured;
  const std::size_t total = tokens.size() - 1,
                    wide = std::min(static_cast<std::size_t>(window), total);
  measured.window_nll.assign((total + wide - 1) / wide, 0.0);
  const int vocab = source.vocab();
  for (std::size_t at = 0; at < total;) {
    const std::size_t left = total - at, columns = std::min(wide, left);
    const std::size_t sequences =
        left < wide ? 1
                    : std::min(left / wide, std::max<std::size_t>(
                                                1, static_cast<std::size_t>(kReadRows) / wide));
    Prompts part{static_cast<int>(columns), {}, {}};
    const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(at),
               end = begin + static_cast<std::ptrdiff_t>(sequences * columns);
    part.ids.assign(begin, end);
    part.next.assign(begin + 1, end + 1);
    over_logits(source, part, [&](std::int64_t first, std::int64_t count, const float* z) {
      for (std::int64_t n = 0; n < count; ++n) {
        const auto row = static_cast<std::size_t>(first + n);
        if (!counts.empty() && counts[at + row + 1] == 0) continue;
        ++measured.evaluation.tokens;
        add_row(z + n * vocab, vocab, part.next[row], measured.window_nll[(at + row) / wide],
                measured.calibration);
      }
    });
    at += sequences * columns;
  }
  for (const double nll : measured.window_nll) measured.evaluation.nll += nll;
  measured.evaluation.bytes = bytes;
  return measured;
}

}  // namespace freshet
