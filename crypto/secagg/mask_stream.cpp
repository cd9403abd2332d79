#include "crypto/secagg/mask_stream.h"

#include <algorithm>
#include <bit>

#include "crypto/secagg/chacha_wide.h"
#include "crypto/sodium.h"

namespace freshet::secagg {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they lie");
constexpr std::size_t kBlockWords = 16;   // of one ChaCha20 block
constexpr std::size_t kPassWords = 2048;  // words and stream lie in the first cache together

}  // namespace

void apply_masks(std::span<std::uint32_t> words, std::span<const MaskKey> keys,
                 std::size_t first_word) {
  static constexpr std::array<std::uint8_t, crypto_stream_chacha20_ietf_NONCEBYTES> kNonce{};
  static constexpr std::array<std::uint32_t, kPassWords> kZeros{};
  CHECK(first_word % kBlockWords == 0, "masks from word {}", first_word);
  alignas(64) std::array<std::uint32_t, kPassWords> stream;
  for (std::size_t begin = 0; begin < words.size(); begin += kPassWords) {
    const std::size_t count = std::min(kPassWords, words.size() - begin);
    std::uint32_t* out = words.data() + begin;
    const auto block = static_cast<std::uint32_t>((first_word + begin) / kBlockWords);
    const std::size_t wide = has_wide_chacha() ? count / kWideWords * kWideWords : 0;
    for (const MaskKey& key : keys) {
      if (wide > 0) apply_wide_chacha(out, wide, key.key, block, key.add);
      if (wide == count) continue;
      crypto_stream_chacha20_ietf_xor_ic(
          reinterpret_cast<unsigned char*>(stream.data()),
          reinterpret_cast<const unsigned char*>(kZeros.data()), (count - wide) * sizeof stream[0],
          kNonce.data(), block + static_cast<std::uint32_t>(wide / kBlockWords), key.key.data());
      if (key.add)
        for (std::size_t i = wide; i < count; ++i) out[i] += stream[i - wide];
      else
        for (std::size_t i = wide; i < count; ++i) out[i] -= stream[i - wide];
    }
  }
  sodium_memzero(stream.data(), sizeof stream);
}

void keep_bits(std::span<std::uint32_t> words, int bits) {
  CHECK(bits >= 1 && bits <= 32, "words of {} bits", bits);
  const std::uint32_t low = ~std::uint32_t{0} >> (32 - bits);
  for (std::uint32_t& word : words) word &= low;
}

}  // namespace freshet::secagg
