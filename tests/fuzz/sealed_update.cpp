// Input: u8 bits, u16 weight cap, u16 entries, then bytes: first as a sealed update, then as the
// words inside one, which a node with a good key chooses freely. What opens must seal again, and
// add() must keep a lie out of the sum and of the mean.

#include "protocol/sealed_update.h"

#include <cmath>

#include "aggregation/pack.h"
#include "base/check.h"

namespace {

using namespace freshet;

const Identity& coordinator() {
  static const Identity identity = Identity::generate();
  return identity;
}

void fuzz_words(QuantizedUpdate update, const Grid& grid, const UpdateContext& context) {
  const std::size_t entries = update.words.size() - 1;
  const SealedUpdate sealed = seal_update(update, grid, coordinator().open.sealing, context);
  const auto opened = open_update(sealed.bytes, grid, entries, coordinator(), context);
  CHECK(opened.has_value(), "{}", opened.error().what);
  CHECK(opened->words == update.words);
  QuantizedSum sum;
  if (!add(sum, *opened, grid)) {
    CHECK(sum.count == 0 && sum.words.empty());
    return;
  }
  const auto mean = dequantize_mean(sum, grid);
  CHECK(mean.has_value(), "{}", mean.error().what);
  for (const float value : mean->values) CHECK(std::abs(value) <= grid.range, "{}", value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kHead = 5;
  if (size < kHead) return 0;
  const Grid grid{.range = 0.5f,
                  .bits = data[0],
                  .weight_max = static_cast<std::uint32_t>(data[1] | data[2] << 8)};
  const std::size_t entries = data[3] | data[4] << 8;
  const auto bits = sum_bits(grid, 1);
  if (!bits) return 0;
  const ByteView rest(data + kHead, size - kHead);
  const UpdateContext context{{1}, {2}, {3}, {}};
  CHECK(!open_update(rest, grid, entries, coordinator(), context));
  if (auto words = unpack(rest, entries + 1, *bits)) fuzz_words({std::move(*words)}, grid, context);
  return 0;
}
