#include "aggregation/pack.h"

#include <fmt/core.h>

#include "base/check.h"

namespace freshet {

std::size_t packed_bytes(std::size_t words, int bits) {
  const auto width = static_cast<std::size_t>(bits);
  return words / 8 * width + (words % 8 * width + 7) / 8;
}

Bytes pack(std::span<const std::uint32_t> words, int bits) {
  CHECK(bits >= 1 && bits <= 32, "bits {}", bits);
  Bytes packed(packed_bytes(words.size(), bits));
  std::uint8_t* out = packed.data();
  std::uint64_t pending = 0;  // fewer than 8 bits before each word
  std::uint32_t seen = 0;
  int held = 0;
  for (const std::uint32_t word : words) {
    seen |= word;
    pending |= std::uint64_t{word} << held;
    for (held += bits; held >= 8; held -= 8, pending >>= 8)
      *out++ = static_cast<std::uint8_t>(pending);
  }
  if (held > 0) *out++ = static_cast<std::uint8_t>(pending);
  CHECK(bits == 32 || seen >> bits == 0, "a word has more than {} bits", bits);
  CHECK(out == packed.data() + packed.size());
  return packed;
}

Result<std::vector<std::uint32_t>> unpack(ByteView packed, std::size_t words, int bits) {
  CHECK(bits >= 1 && bits <= 32, "bits {}", bits);
  if (packed.size() != packed_bytes(words, bits))
    return fail(Code::kBadInput, fmt::format("{} words of {} bits take {} bytes, not {}", words,
                                             bits, packed_bytes(words, bits), packed.size()));
  std::vector<std::uint32_t> unpacked(words);
  const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  const std::uint8_t* in = packed.data();
  std::uint64_t pending = 0;
  int held = 0;
  for (std::uint32_t& word : unpacked) {
    for (; held < bits; held += 8) pending |= std::uint64_t{*in++} << held;
    word = static_cast<std::uint32_t>(pending & mask);
    pending >>= bits;
    held -= bits;
  }
  if (pending != 0) return fail(Code::kBadInput, "a padding bit behind the last word is set");
  return unpacked;
}

}  // namespace freshet
