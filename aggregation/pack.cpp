#include "aggregation/pack.h"

#include <fmt/core.h>

#include <bit>

#include "base/check.h"

namespace freshet {
namespace {

static_assert(std::endian::native == std::endian::little, "fields are read as they lie");

std::string wrong_size(ByteView packed, std::size_t words, int bits) {
  return fmt::format("{} words of {} bits take {} bytes, not {}", words, bits,
                     packed_bytes(words, bits), packed.size());
}

}  // namespace

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
  if (packed.size() != packed_bytes(words, bits))  // before memory is taken for them
    return fail(Code::kBadInput, wrong_size(packed, words, bits));
  std::vector<std::uint32_t> unpacked(words);
  TRY(add_packed_words(unpacked, packed, bits));
  return unpacked;
}

Result<void> check_packed(ByteView packed, std::size_t words, int bits) {
  CHECK(bits >= 1 && bits <= 32, "bits {}", bits);
  if (packed.size() != packed_bytes(words, bits))
    return fail(Code::kBadInput, wrong_size(packed, words, bits));
  const std::size_t used_bits = words % 8 * static_cast<std::size_t>(bits) % 8;  // of the last byte
  if (used_bits != 0 && packed.back() >> used_bits != 0)
    return fail(Code::kBadInput, "a padding bit behind the last word is set");
  return {};
}

Result<void> add_packed_words(std::span<std::uint32_t> sum, ByteView packed, int bits) {
  const std::size_t words = sum.size();
  TRY(check_packed(packed, words, bits));
  const auto width = static_cast<std::size_t>(bits);
  const auto mask = static_cast<std::uint32_t>((std::uint64_t{1} << bits) - 1);
  // A word lies in the eight bytes from its first on; near the end those are not all there.
  std::size_t i = 0;
  for (; i < words && i * width / 8 + 8 <= packed.size(); ++i) {
    std::uint64_t eight;
    std::memcpy(&eight, packed.data() + i * width / 8, sizeof eight);
    sum[i] = (sum[i] + static_cast<std::uint32_t>(eight >> i * width % 8)) & mask;
  }
  for (; i < words; ++i) {
    std::uint64_t eight = 0;
    const ByteView rest = packed.subspan(i * width / 8);
    std::memcpy(&eight, rest.data(), rest.size());
    sum[i] = (sum[i] + static_cast<std::uint32_t>(eight >> i * width % 8)) & mask;
  }
  return {};
}

}  // namespace freshet
