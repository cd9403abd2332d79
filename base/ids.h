#pragma once
// Strong ids: a node is not a round is not a version. Values are small numbers; identities (public keys) are bytes and
// live in crypto/.

#include <compare>
#include <cstdint>
#include <functional>

namespace freshet {

template <class Tag>
struct Id {
  std::uint64_t value = 0;
  auto operator<=>(const Id&) const = default;
};

using NodeId = Id<struct NodeTag>;          // first 8 bytes of the digest of the node's signing key, little-endian
using CampaignId = Id<struct CampaignTag>;  // random
using RoundId = Id<struct RoundTag>;        // rises by one with every attempted round of a campaign, from 1
using VersionId = Id<struct VersionTag>;    // published adapter versions of a campaign, from 0

}  // namespace freshet

template <class Tag>
struct std::hash<freshet::Id<Tag>> {
  std::size_t operator()(freshet::Id<Tag> id) const noexcept { return std::hash<std::uint64_t>{}(id.value); }
};
