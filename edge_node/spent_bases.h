#pragma once
// Which bases this node masked, and for which round: from one base its contribution enters at most
// one opened sum. A record is durable before shares leave, and again before the first byte of a
// masked vector does; a base is free for another round only once a quorum of the earlier roster has
// signed that the earlier round was given up. Two notes: the last round of each campaign, and of
// each adapter that was ever masked, in whatever campaign, the round in which it was: nothing but a
// later masking of the same adapter replaces that one. Public facts alone, sealed against changes.

#include <vector>

#include "base/bytes.h"
#include "base/files.h"
#include "crypto/secret.h"
#include "edge_node/exchange.h"

namespace freshet {

struct SpentBase {  // the last of its campaign
  CampaignId campaign;
  VersionId version;
  Digest adapter{};
  RoundId round;
  Digest sid{}, roster{};
  std::uint32_t quorum = 0;
  std::vector<SigningPublic> members;  // of the roster, by place
  bool left = false;                   // the masked vector may have left: the base is spent
  exchange::Choice choice = exchange::Choice::kNone;
  bool operator==(const SpentBase&) const = default;
};

Bytes bytes_of(const SpentBase& spent);
Result<SpentBase> spent_base_from(ByteView bytes);  // kCorrupt; only what bytes_of() makes

class SpentBases {
 public:
  static Result<SpentBases> open(Path folder, const Secret& storage);

  // Durable when it returns. Replaces the campaign's earlier record: admit() came first. The choice
  // of a sid, once made, stays, and what left does not come back: another is a bug of ours.
  Result<void> put(const SpentBase& spent);
  // kCorrupt where a record does not open: what was promised is not known, so nothing may follow.
  Result<std::optional<SpentBase>> find(CampaignId campaign) const;
  // The latest round whose masked vector, from this very adapter, may have left.
  Result<std::optional<SpentBase>> masked(const Digest& adapter) const;

  struct Asked {
    VersionId version;
    Digest adapter{};
    RoundId round;
    Digest sid{};
  };
  // Whether a round may mask from this base. kRefused: it may not, and why.
  Result<void> admit(CampaignId campaign, const Asked& asked,
                     std::span<const AbortCertificate> aborted) const;
  struct Notes {
    std::optional<SpentBase> last;    // find()
    std::optional<SpentBase> masked;  // masked()
  };
  static Result<void> admit(const Notes& notes, const Asked& asked,
                            std::span<const AbortCertificate> aborted);

 private:
  SpentBases(Path folder, Secret storage)
      : folder_(std::move(folder)), storage_(std::move(storage)) {}
  Path file_of(CampaignId campaign) const;
  Path file_of(const Digest& adapter) const;
  Result<void> write(const Path& path, const SpentBase& spent);
  Result<std::optional<SpentBase>> read_at(const Path& path) const;
  Path folder_;
  Secret storage_;
};

}  // namespace freshet
