#include "crypto/keyed_rng.h"

#include "crypto/sodium.h"

namespace freshet {
namespace {

constexpr std::size_t kBufferBytes = 4096, kBlockBytes = 64;

std::array<std::uint8_t, 8> little_endian(std::uint64_t value) {
  std::array<std::uint8_t, 8> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(value >> 8 * i);
  return bytes;
}

}  // namespace

KeyedRng::KeyedRng(const Secret& storage, std::string_view purpose, CampaignId campaign,
                   VersionId version)
    : key_(crypto_stream_chacha20_KEYBYTES), buffer_(kBufferBytes), used_(kBufferBytes) {
  CHECK(storage.view().size() == crypto_generichash_KEYBYTES, "a storage key of {} bytes",
        storage.view().size());
  crypto_generichash_state state;
  crypto_generichash_init(&state, storage.view().data(), storage.view().size(), key_.view().size());
  const DomainPrefix domain("freshet/keyed-rng/v1"), named(purpose);
  const auto campaign_bytes = little_endian(campaign.value),
             version_bytes = little_endian(version.value);
  for (ByteView part :
       {domain.view(), named.view(), ByteView(campaign_bytes), ByteView(version_bytes)})
    crypto_generichash_update(&state, part.data(), part.size());
  crypto_generichash_final(&state, key_.writable().data(), key_.view().size());
  sodium_memzero(&state, sizeof state);
}

void KeyedRng::refill() {
  static constexpr std::array<std::uint8_t, crypto_stream_chacha20_NONCEBYTES> kNonce{};
  std::span<std::uint8_t> buffer = buffer_.writable();
  sodium_memzero(buffer.data(), buffer.size());
  crypto_stream_chacha20_xor_ic(buffer.data(), buffer.data(), buffer.size(), kNonce.data(), block_,
                                key_.view().data());
  block_ += kBufferBytes / kBlockBytes;
  used_ = 0;
}

std::uint32_t KeyedRng::next_u32() {
  if (used_ == kBufferBytes) refill();
  const std::uint8_t* at = buffer_.view().data() + used_;
  used_ += 4;
  return at[0] | std::uint32_t{at[1]} << 8 | std::uint32_t{at[2]} << 16 |
         std::uint32_t{at[3]} << 24;
}

std::uint64_t KeyedRng::next_u64() {
  const std::uint64_t low = next_u32();
  return low | std::uint64_t{next_u32()} << 32;
}

double KeyedRng::uniform() { return next_u32() * 0x1.0p-32; }

}  // namespace freshet
