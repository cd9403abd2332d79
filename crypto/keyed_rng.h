#pragma once
// A ChaCha20 stream under a key derived from (storage key, purpose, campaign, version): what must
// be both secret and repeatable after a crash, such as the rounding of one contribution.

#include <string_view>

#include "base/ids.h"
#include "crypto/secret.h"

namespace freshet {

class KeyedRng {
 public:
  KeyedRng(const Secret& storage, std::string_view purpose, CampaignId campaign, VersionId version);
  std::uint32_t next_u32();
  std::uint64_t next_u64();
  double uniform();  // [0, 1), 32 bits

 private:
  void refill();
  Secret key_;
  std::uint64_t block_ = 0;
  Secret buffer_;
  std::size_t used_;
};

}  // namespace freshet
