#pragma once
// What left this node in its last masked round, kept for its people: the frame as it was sent. With
// --keep-unmasked also the words under the masks, which never left, sealed under the node's storage
// key. One round; the next one replaces it.

#include <optional>
#include <string>

#include "aggregation/updates.h"
#include "base/files.h"
#include "base/json_fwd.h"
#include "crypto/secret.h"
#include "edge_node/masked_round.h"

namespace freshet {

struct PayloadFacts {
  std::string campaign;  // its name
  CampaignId id;
  RoundId round;
  VersionId base;
  Digest sid{};
  int bits = 0;  // of one masked word
  std::uint64_t words = 0;
  std::int64_t wall_s = 0;  // when it was masked, since 1970
};

Result<void> save_payload(const Path& folder, const PayloadFacts& facts, ByteView frame);
Result<void> save_unmasked(const Path& folder, const PayloadFacts& facts, const Secret& storage,
                           std::span<const std::uint32_t> words);
Result<void> forget_unmasked(const Path& folder);  // what an earlier round kept

// Of the frame's packed words against uniform: 256 classes by a word's highest bits (or all of
// them, where it has fewer).
struct Uniformity {
  double chi_square = 0;
  int degrees = 0;
  double p = 0;  // chance that uniform words look at least as uneven
};
Uniformity uniformity_of(std::span<const std::uint32_t> words, int bits);
// P(X >= x) for X chi-square of `degrees`. REQUIRES: degrees > 0.
double chi_square_tail(double x, int degrees);

struct Payload {
  PayloadFacts facts;
  std::uint64_t frame_bytes = 0;
  Digest frame_digest{};
  std::string signature_hex;
  std::vector<std::uint32_t> masked;                   // the words that left
  std::optional<std::vector<std::uint32_t>> unmasked;  // those that stayed
};
// kBadInput where no masked round left anything yet. `storage`: opens what stayed; null: leaves it.
Result<Payload> load_payload(const Path& folder, const Secret* storage);

Json to_json(const Payload& payload);
std::string to_text(const Payload& payload);  // in a person's terms

}  // namespace freshet
