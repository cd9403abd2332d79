#include "protocol/sealed_update.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "tests/protocol/samples.h"

namespace freshet {
namespace {

const Grid kGrid{.range = 0.5f, .bits = 12, .weight_max = 100};
const UpdateContext kContext{{1}, {2}, {3}, samples::digest(9)};
constexpr std::size_t kEntries = 101;

QuantizedUpdate sample(std::uint64_t seed, const Grid& grid = kGrid) {
  Rng rng(seed);
  ClippedUpdate update{std::vector<float>(kEntries),
                       1 + static_cast<std::uint32_t>(rng.below(grid.weight_max))};
  for (float& value : update.values) value = static_cast<float>(rng.uniform() - 0.5);
  return quantize(update, grid, [&](std::span<std::uint32_t> out) {
    for (auto& word : out) word = rng.next_u32();
  });
}

TEST(SealedUpdate, OpensToTheSameWords) {
  const Identity coordinator = Identity::generate();
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    const Grid grid{.range = 1,
                    .bits = static_cast<int>(2 + seed % 15),
                    .weight_max = static_cast<std::uint32_t>(seed)};
    const QuantizedUpdate update = sample(seed, grid);
    const SealedUpdate sealed = seal_update(update, grid, coordinator.open.sealing, kContext);
    EXPECT_EQ(sealed.bytes.size(), sealed_update_bytes(grid, kEntries));
    const auto opened = open_update(sealed.bytes, grid, kEntries, coordinator, kContext);
    ASSERT_TRUE(opened) << opened.error().what;
    EXPECT_EQ(opened->words, update.words);
  }
}

TEST(SealedUpdate, TakesTheBitsThatOneUpdateNeedsAndTheSeal) {
  // 4095 * 100 needs 19 bits: 102 words are 242.25 bytes.
  EXPECT_EQ(sealed_update_bytes(kGrid, kEntries), 243u + 72u);
  EXPECT_EQ(sealed_update_bytes({.range = 1, .bits = 16, .weight_max = 1}, 1000), 2002u + 72u);
}

TEST(SealedUpdate, OpensInItsOwnContextOnly) {
  const Identity coordinator = Identity::generate();
  const SealedUpdate sealed = seal_update(sample(1), kGrid, coordinator.open.sealing, kContext);
  const auto opens = [&](const UpdateContext& context, const Grid& grid, const Identity& receiver) {
    const auto opened = open_update(sealed.bytes, grid, kEntries, receiver, context);
    if (!opened) {
      EXPECT_EQ(opened.error().code, Code::kBadInput);
    }
    return opened.has_value();
  };
  EXPECT_TRUE(opens(kContext, kGrid, coordinator));
  EXPECT_FALSE(opens({{9}, {2}, {3}, kContext.layout}, kGrid, coordinator));
  EXPECT_FALSE(opens({{1}, {9}, {3}, kContext.layout}, kGrid, coordinator));
  EXPECT_FALSE(opens({{1}, {2}, {9}, kContext.layout}, kGrid, coordinator));
  EXPECT_FALSE(opens({{1}, {2}, {3}, samples::digest(8)}, kGrid, coordinator));
  EXPECT_FALSE(opens(kContext, {.range = 0.6f, .bits = 12, .weight_max = 100}, coordinator));
  EXPECT_FALSE(opens(kContext, {.range = 0.5f, .bits = 12, .weight_max = 101}, coordinator));
  EXPECT_FALSE(opens(kContext, kGrid, Identity::generate()));
}

TEST(SealedUpdate, EveryFlippedBitIsRefused) {
  const Identity coordinator = Identity::generate();
  Bytes bytes = seal_update(sample(1), kGrid, coordinator.open.sealing, kContext).bytes;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    // X25519 ignores the top bit of a public key (RFC 7748, section 5); the key derivation does
    // not.
    ASSERT_FALSE(open_update(bytes, kGrid, kEntries, coordinator, kContext)) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
  }
}

TEST(SealedUpdate, AnotherLengthIsRefusedBeforeItIsOpened) {
  const Identity coordinator = Identity::generate();
  const SealedUpdate sealed = seal_update(sample(1), kGrid, coordinator.open.sealing, kContext);
  EXPECT_EQ(open_update(sealed.bytes, kGrid, 60, coordinator, kContext).error().what,
            "a sealed update of 315 bytes: 60 entries and a weight take 217");
  for (std::size_t size = 0; size < sealed.bytes.size(); ++size)
    ASSERT_FALSE(
        open_update(ByteView(sealed.bytes).first(size), kGrid, kEntries, coordinator, kContext))
        << size;
}

}  // namespace
}  // namespace freshet
