#include "protocol/sealed_update.h"

#include <fmt/core.h>

#include "aggregation/pack.h"
#include "base/check.h"
#include "protocol/canonical.h"

namespace freshet {
namespace {

constexpr std::size_t kSealBytes = 32 + 24 + 16;  // ephemeral key, nonce, tag (crypto/seal.h)

int word_bits(const Grid& grid) {
  const auto bits = sum_bits(grid, 1);
  CHECK(bits.has_value(), "{}", bits.error().what);
  return *bits;
}

// The grid belongs to the context: words read on another grid would be another update.
Bytes bytes_of(const UpdateContext& context, const Grid& grid) {
  return CanonicalBytes()
      .text("freshet/update/v1")
      .number(context.campaign.value)
      .number(context.round.value)
      .number(context.node.value)
      .raw(context.layout)
      .number(grid.range)
      .number(static_cast<std::uint32_t>(grid.bits))
      .number(grid.weight_max)
      .view();
}

}  // namespace

std::size_t sealed_update_bytes(const Grid& grid, std::size_t entries) {
  return packed_bytes(entries + 1, word_bits(grid)) + kSealBytes;
}

SealedUpdate seal_update(const QuantizedUpdate& update, const Grid& grid,
                         const SealingPublic& coordinator, const UpdateContext& context) {
  return {seal_to(coordinator, pack(update.words, word_bits(grid)), bytes_of(context, grid))};
}

Result<QuantizedUpdate> open_update(ByteView sealed, const Grid& grid, std::size_t entries,
                                    const Identity& coordinator, const UpdateContext& context) {
  const std::size_t expected = sealed_update_bytes(grid, entries);
  if (sealed.size() != expected)
    return fail(Code::kBadInput,
                fmt::format("a sealed update of {} bytes: {} entries and a weight take {}",
                            sealed.size(), entries, expected));
  TRY_ASSIGN(const Bytes packed, open_sealed(coordinator, sealed, bytes_of(context, grid)));
  TRY_ASSIGN(auto words, unpack(packed, entries + 1, word_bits(grid)));
  return QuantizedUpdate{std::move(words)};
}

}  // namespace freshet
