#include "edge_node/spent_bases.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/fields.h"
#include "base/limits.h"
#include "crypto/seal.h"

namespace freshet {
namespace {

constexpr std::string_view kContext = "freshet/spent-base/v1";
constexpr std::string_view kMaskedFolder = "masked";  // by adapter
constexpr std::size_t kBytesMax = limits::kCohortMax * 32 + limits::kKiB;

// Signatures of the earlier roster under its abort, each member once.
std::uint32_t signatures_in(const AbortCertificate& certificate, const SpentBase& last) {
  const Bytes covered = signed_abort(last.sid);
  std::uint32_t good = 0;
  std::optional<std::uint32_t> before;
  for (const IndexedSignature& each : certificate.signatures) {
    const bool rises = !before || each.index > *before;
    if (!rises || each.index >= last.members.size()) return 0;
    before = each.index;
    if (verify(last.members[each.index], kAbortDomain, covered, each.signature)) ++good;
  }
  return good;
}

}  // namespace

Bytes bytes_of(const SpentBase& spent) {
  FieldWriter writer;
  writer.number(spent.campaign.value).number(spent.version.value).fixed(spent.adapter);
  writer.number(spent.round.value).fixed(spent.sid).fixed(spent.roster).number(spent.quorum);
  writer.number(static_cast<std::uint8_t>(spent.left));
  writer.number(static_cast<std::uint8_t>(spent.choice));
  writer.number(static_cast<std::uint32_t>(spent.members.size()));
  for (const SigningPublic& member : spent.members) writer.fixed(member.bytes);
  return writer.take();
}

Result<SpentBase> spent_base_from(ByteView bytes) {
  FieldReader reader(bytes);
  SpentBase spent;
  spent.campaign.value = reader.number<std::uint64_t>();
  spent.version.value = reader.number<std::uint64_t>();
  reader.fixed_into(spent.adapter);
  spent.round.value = reader.number<std::uint64_t>();
  reader.fixed_into(spent.sid);
  reader.fixed_into(spent.roster);
  spent.quorum = reader.number<std::uint32_t>();
  const auto left = reader.number<std::uint8_t>();
  const auto choice = reader.number<std::uint8_t>();
  const auto members = reader.number<std::uint32_t>();
  if (reader.failed() || left > 1 || choice > 2 || reader.left() != std::size_t{members} * 32 ||
      members > limits::kCohortMax)
    return fail(Code::kCorrupt, "is no record of a spent base");
  spent.left = left == 1;
  spent.choice = static_cast<exchange::Choice>(choice);
  spent.members.resize(members);
  for (SigningPublic& member : spent.members) reader.fixed_into(member.bytes);
  return spent;
}

Result<SpentBases> SpentBases::open(Path folder, const Secret& storage) {
  TRY(make_folders(folder / kMaskedFolder, 0700));
  return SpentBases(std::move(folder), storage.clone());
}

Path SpentBases::file_of(CampaignId campaign) const {
  return folder_ / fmt::format("{:016x}.sealed", campaign.value);
}
Path SpentBases::file_of(const Digest& adapter) const {
  return folder_ / kMaskedFolder / (to_hex(adapter) + ".sealed");
}

Result<void> SpentBases::write(const Path& path, const SpentBase& spent) {
  return write_file_durably(path, seal_at_rest(storage_, bytes_of(spent), as_bytes(kContext)),
                            0600);
}

Result<void> SpentBases::put(const SpentBase& spent) {
  TRY_ASSIGN(const std::optional<SpentBase> last, find(spent.campaign));
  if (last && last->sid == spent.sid) {
    const bool same_choice =
        last->choice == exchange::Choice::kNone || last->choice == spent.choice;
    CHECK(same_choice && (spent.left || !last->left), "a promise of round {} is taken back",
          spent.round.value);
  }
  // First what must never be forgotten.
  if (spent.left && !(last && last->sid == spent.sid && last->left))
    TRY(write(file_of(spent.adapter), spent));
  return write(file_of(spent.campaign), spent);
}

Result<std::optional<SpentBase>> SpentBases::read_at(const Path& path) const {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::optional<SpentBase>();
  TRY_ASSIGN(const std::string sealed, read_file(path, kBytesMax));
  auto plain = open_at_rest(storage_, as_bytes(sealed), as_bytes(kContext));
  Result<SpentBase> spent = fail(Code::kCorrupt, "does not open");
  if (plain) spent = spent_base_from(*plain);
  if (spent && path == file_of(spent->campaign)) return std::optional<SpentBase>(std::move(*spent));
  if (spent && spent->left && path == file_of(spent->adapter))
    return std::optional<SpentBase>(std::move(*spent));
  return fail(Code::kCorrupt,
              fmt::format("{}: {}; without it this node cannot know what it contributed already. "
                          "Restore it from a backup, or join anew with another folder",
                          path.string(), spent ? "is another one's" : spent.error().what));
}

Result<std::optional<SpentBase>> SpentBases::find(CampaignId campaign) const {
  return read_at(file_of(campaign));
}
Result<std::optional<SpentBase>> SpentBases::masked(const Digest& adapter) const {
  return read_at(file_of(adapter));
}

Result<void> SpentBases::admit(CampaignId campaign, const Asked& asked,
                               std::span<const AbortCertificate> aborted) const {
  TRY_ASSIGN(std::optional<SpentBase> last, find(campaign));
  TRY_ASSIGN(std::optional<SpentBase> masked, this->masked(asked.adapter));
  if (!masked && last && last->left && last->adapter == asked.adapter) masked = last;
  return admit(Notes{std::move(last), std::move(masked)}, asked, aborted);
}

namespace {

// The rounds of one campaign follow one another.
Result<void> follows(const SpentBase& last, const SpentBases::Asked& asked) {
  if (asked.sid == last.sid)
    return fail(Code::kRefused, "this node was in that round before, and its keys are gone");
  if (asked.round <= last.round)
    return fail(Code::kRefused, fmt::format("round {} comes after round {}, which this node was in",
                                            asked.round.value, last.round.value));
  if (asked.version < last.version)
    return fail(Code::kRefused,
                fmt::format("the round goes back to version {}; this node contributed from {}",
                            asked.version.value, last.version.value));
  if (last.left && asked.version == last.version && asked.adapter != last.adapter)
    return fail(Code::kRefused, fmt::format("version {} has two adapters", asked.version.value));
  return {};
}

}  // namespace

// One adapter under two numbers, or in two campaigns, is one base: what was learned from it would
// be seen twice.
Result<void> SpentBases::admit(const Notes& notes, const Asked& asked,
                               std::span<const AbortCertificate> aborted) {
  if (notes.last) TRY(follows(*notes.last, asked));
  if (!notes.masked) return {};
  const SpentBase& masked = *notes.masked;
  CHECK(masked.left && masked.adapter == asked.adapter, "a note of another adapter");
  for (const AbortCertificate& certificate : aborted)
    if (certificate.sid == masked.sid && signatures_in(certificate, masked) >= masked.quorum)
      return {};
  return fail(Code::kRefused,
              fmt::format("version {} is spent: this node's masked vector left from that adapter "
                          "in round {} of campaign {:016x}, and {} of its {} members did not sign "
                          "that the round was given up",
                          asked.version.value, masked.round.value, masked.campaign.value,
                          masked.quorum, masked.members.size()));
}

}  // namespace freshet
