#pragma once
// The messages of a masked round (Bonawitz et al. 2017, with signed survivors), as plain structs.
// Each fits into one frame. Every signature is by the member's certified signing key and covers the
// sid; what it covers is made by the functions at the end, for those who sign and those who check.
// Members are named by their place in the roster, from 0.

#include <span>

#include "base/ids.h"
#include "crypto/certificates/certificate.h"
#include "crypto/secagg/sealed_share.h"
#include "protocol/descriptor.h"

namespace freshet {

// ---- node -> coordinator. Sent again with the same bytes until the next step comes; other bytes
// for one sid are an offence.

struct Advertise {  // a node comes to the round with fresh keys
  Digest sid{};
  Bytes certificate;
  secagg::Advert advert{};
  Signature signature{};  // signed_advert()
  bool operator==(const Advertise&) const = default;
};

struct SignedBox {
  std::uint32_t peer = 0;  // in a bundle: for whom; forwarded: from whom
  std::array<std::uint8_t, secagg::kBoxBytes> box{};
  Signature signature{};  // of its sender, signed_box()
  bool operator==(const SignedBox&) const = default;
};
struct ShareBundle {
  Digest sid{}, roster{};
  std::vector<SignedBox> boxes;  // one for every neighbour, by rising peer
  bool operator==(const ShareBundle&) const = default;
};

struct Complaint {  // a box that does not open, or whose signature is none
  Digest sid{};
  SignedBox box;  // as it was forwarded: peer is its sender
  secagg::Evidence evidence{};
  Signature signature{};  // signed_complaint()
  bool operator==(const Complaint&) const = default;
};

// The masked vector travels as UploadChunks of a MaskedFrame: signature, then packed words.
inline constexpr std::size_t kFrameSignatureBytes = 64;

struct AgreeSurvivors {
  Digest sid{};
  Signature signature{};  // signed_survivors()
  bool operator==(const AgreeSurvivors&) const = default;
};
struct AgreeAbort {
  Digest sid{};
  Signature signature{};  // signed_abort()
  bool operator==(const AgreeAbort&) const = default;
};
struct Reveal {
  Digest sid{};
  std::vector<secagg::RevealedShare> shares;  // by rising `of`
  bool operator==(const Reveal&) const = default;
};

enum class Declined : std::uint8_t {  // no text: nothing of the node's own leaves with it
  kPolicy,                            // the descriptor asks for more than this node's policy gives
  kModel,                             // what the node has loaded is not what the coordinator says
  kRoster,     // too few, a doubled or uncertified member, too many newcomers
  kTrust,      // the coordinator's revocation list is older than the node's
  kSurvivors,  // too few, or not out of those who dealt shares
  kQuorum,     // signatures that do not fit
  kBudget,     // of the node's own privacy ledger
  kSpent,      // this base was masked before and nobody proved that it was given up
  kFailed,     // the node cannot go on
};
std::string_view name_of(Declined why);  // "policy", ...
struct Decline {  // "do not wait for me in this round"
  Digest sid{};
  Declined why = Declined::kFailed;
  bool operator==(const Decline&) const = default;
};

// ---- coordinator -> node

struct IndexedSignature {
  std::uint32_t index = 0;
  Signature signature{};
  bool operator==(const IndexedSignature&) const = default;
};
struct AbortCertificate {  // an earlier round from the same base was given up by its members
  Digest sid{};
  std::vector<IndexedSignature> signatures;  // under signed_abort(), by rising index of its roster
  bool operator==(const AbortCertificate&) const = default;
};
struct MaskedInvite {
  CampaignId campaign;
  Bytes descriptor;
  Signature signature{};  // of the coordinator, over "freshet/descriptor/v1" and the descriptor
  std::int64_t remaining_ms = 0;
  std::vector<AbortCertificate> aborted;  // of sids whose roster the receiver was in
  bool operator==(const MaskedInvite&) const = default;
};

struct RosterMember {
  Bytes certificate;
  secagg::Advert advert{};
  Signature signature{};
  bool operator==(const RosterMember&) const = default;
};
struct RosterPage {  // limits::kRosterPageMembers at most; members by rising NodeId over all pages
  Digest sid{};
  Digest opening{};  // of the beacon
  Digest trust{};    // blob of the coordinator's trust bundle, to Fetch when it is newer
  std::uint64_t trust_bytes = 0;
  std::uint32_t first = 0, total = 0;
  std::vector<RosterMember> members;
  bool operator==(const RosterPage&) const = default;
};

struct Forward {
  Digest sid{};
  std::vector<std::uint32_t> sharers;  // U2
  std::vector<SignedBox> boxes;        // for the receiver, by rising sender
  bool operator==(const Forward&) const = default;
};
struct Survivors {
  Digest sid{};
  std::vector<std::uint32_t> survivors;  // U3
  bool operator==(const Survivors&) const = default;
};
struct Quorum {
  Digest sid{};
  std::vector<IndexedSignature> signatures;  // under signed_survivors(), by rising index
  bool operator==(const Quorum&) const = default;
};
struct AskAbort {
  Digest sid{};
  std::string why;  // as Refused
  bool operator==(const AskAbort&) const = default;
};

// ---- what signatures cover: a domain for sign() and verify(), and bytes

inline constexpr std::string_view kDescriptorDomain = "freshet/descriptor/v1";
inline constexpr std::string_view kAdvertDomain = "freshet/advertise/v1";
inline constexpr std::string_view kBoxDomain = "freshet/share/v1";
inline constexpr std::string_view kComplaintDomain = "freshet/complaint/v1";
inline constexpr std::string_view kMaskedDomain = "freshet/masked/v1";
inline constexpr std::string_view kSurvivorsDomain = "freshet/survivors/v1";
inline constexpr std::string_view kAbortDomain = "freshet/abort/v1";

Digest index_list_digest(std::span<const std::uint32_t> indices);  // u32 count, then each

Bytes signed_advert(const Digest& sid, const secagg::Advert& advert);
struct BoxContext {
  Digest sid{}, roster{};
  std::uint32_t from = 0, to = 0;
};
Bytes signed_box(const BoxContext& context, std::span<const std::uint8_t, secagg::kBoxBytes> box);
Bytes signed_complaint(const Digest& sid, const SignedBox& box, const secagg::Evidence& evidence);
Bytes signed_masked(const Digest& sid, const Digest& sharers, const Digest& packed);
struct Outcome {
  Digest sid{}, roster{}, sharers{}, survivors{};  // the last two: index_list_digest()
};
Bytes signed_survivors(const Outcome& outcome);
Bytes signed_abort(const Digest& sid);

}  // namespace freshet
