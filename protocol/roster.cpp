#include "protocol/roster.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "crypto/digest.h"
#include "crypto/secagg/possession.h"
#include "crypto/secret.h"
#include "protocol/canonical.h"

namespace freshet {
namespace {

std::string named(NodeId node) { return fmt::format("node {:016x}", node.value); }

Result<void> check_trust(const Descriptor& descriptor, const Trust& trust) {
  if (descriptor.trust == trust.serial()) return {};
  if (descriptor.trust > trust.serial())
    return fail(Code::kUnavailable,
                fmt::format("the roster is checked with revocation list {}, this party has {}: "
                            "fetch the newer trust bundle",
                            descriptor.trust.list, trust.serial().list));
  return fail(Code::kRefused, fmt::format("the coordinator checks its roster with revocation list "
                                          "{}, the newest known here is {}: it must renew its own",
                                          descriptor.trust.list, trust.serial().list));
}

Digest graph_seed(const Digest& opening, std::span<const RosterMember> members) {
  CanonicalBytes seed;
  seed.raw(opening);
  for (const RosterMember& member : members) seed.raw(member.advert.nonce);
  return digest_of("freshet/graph/v1", seed.view());
}

Result<void> check_newcomers(std::span<const CheckedMember> members, const Fraction& newcomers,
                             const RosterRules& rules) {
  const auto n = static_cast<std::uint32_t>(members.size());
  const auto count = std::count_if(members.begin(), members.end(), [&](const CheckedMember& m) {
    return is_newcomer(m.certificate, rules);
  });
  const std::uint32_t most = std::min(part_of(n, newcomers), part_of(n, rules.newcomers));
  if (count <= most) return {};
  return fail(Code::kRefused,
              fmt::format("{} of {} members enrolled less than {} days ago, {} may: too many "
                          "newcomers could belong to one party",
                          count, n, rules.newcomer_s / (24 * 3600), most));
}

Result<CheckedMember> check_signed(const Digest& sid, const RosterMember& member,
                                   const RosterRules& rules) {
  TRY_ASSIGN(Certificate certificate,
             check_certificate(rules.trust, member.certificate, Role::kNode, rules.now_s));
  if ((certificate.capabilities & kMayContribute) == 0)
    return fail(Code::kRefused,
                named(certificate.id()) + " has a certificate that does not let it contribute");
  if (!verify(certificate.keys.signing, kAdvertDomain, signed_advert(sid, member.advert),
              member.signature))
    return fail(Code::kRefused, "the round's keys of " + named(certificate.id()) +
                                    " are not signed by it, or for another round");
  return CheckedMember{std::move(certificate), member.advert};
}

Result<void> check_keys(const Digest& sid, const CheckedMember& member) {
  const Certificate& certificate = member.certificate;
  if (auto keys = secagg::check_claim({sid, certificate.keys.signing, member.advert}); !keys)
    return fail(Code::kRefused,
                "the round's keys of " + named(certificate.id()) + ": " + keys.error().what);
  return {};
}

// A node deals shares to its neighbours alone, opens theirs, and complains about theirs: with a key
// that somebody else borrowed it does nothing.
Result<void> check_keys_around(const Descriptor& descriptor, const CheckedRoster& roster,
                               const std::optional<NodeId>& own) {
  const Digest sid = sid_of(descriptor);
  const auto n = static_cast<std::uint32_t>(roster.members.size());
  const auto at = std::ranges::find_if(
      roster.members, [&](const CheckedMember& m) { return own && m.certificate.id() == *own; });
  if (at == roster.members.end()) {
    for (const CheckedMember& member : roster.members) TRY(check_keys(sid, member));
    return {};
  }
  TRY_ASSIGN(const GraphPlan plan, graph_of(descriptor, n));
  const Graph graph(roster.graph_seed, n, plan.degree);
  const auto place = static_cast<std::uint32_t>(at - roster.members.begin());
  for (const std::uint32_t each : graph.neighbours(place))
    TRY(check_keys(sid, roster.members[each]));
  return {};
}

}  // namespace

Result<CheckedMember> check_member(const Digest& sid, const RosterMember& member,
                                   const RosterRules& rules) {
  TRY_ASSIGN(CheckedMember checked, check_signed(sid, member, rules));
  TRY(check_keys(sid, checked));
  return checked;
}

bool is_newcomer(const Certificate& certificate, const RosterRules& rules) {
  return certificate.enrolled_s > rules.now_s - rules.newcomer_s;
}

// A sum of products with secret factors, the high half of it: two keys that differ fall together
// with a chance of 2^-32, whoever chose them.
Distinct::Hash::Hash() {
  random_bytes(std::span(reinterpret_cast<std::uint8_t*>(factors_.data()), sizeof factors_));
}
std::size_t Distinct::Hash::operator()(const Used& used) const {
  std::array<std::uint32_t, 8> words;
  std::memcpy(words.data(), used.key.data(), sizeof words);
  std::uint64_t sum = factors_[words.size()] * (used.use + 1u);
  for (std::size_t i = 0; i < words.size(); ++i) sum += factors_[i] * words[i];
  return static_cast<std::size_t>(sum >> 32);
}

// Keys of a round are apart from those of certificates: else a node could keep another out by
// advertising a key that stands in the other's certificate. It gains nothing else by that.
Result<void> Distinct::take(const CheckedMember& member) {
  const Certificate& certificate = member.certificate;
  const PublicIdentity& keys = certificate.keys;
  const secagg::Advert& advert = member.advert;
  const NodeId own = certificate.id();
  const std::array<Used, 7> uses = {{{kLasting, keys.signing.bytes},
                                     {kLasting, keys.transport.bytes},
                                     {kLasting, keys.sealing.bytes},
                                     {kOfRound, advert.cipher.bytes},
                                     {kOfRound, advert.mask.bytes},
                                     {kOfRound, advert.commit},
                                     {kOfRound, advert.nonce}}};
  for (std::size_t i = 0; i < uses.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j)
      if (uses[i].key == uses[j].key)
        return fail(Code::kRefused, fmt::format("a key of {} stands in the roster twice, both "
                                                "times with it",
                                                named(own)));
    if (const auto at = keys_.find(uses[i]); at != keys_.end())
      return fail(Code::kRefused, fmt::format("a key of {} stands in the roster twice, also with "
                                              "{}",
                                              named(own), named(at->second)));
  }
  if (const auto [at, fresh] = devices_.emplace(certificate.device.value, own); !fresh)
    return fail(Code::kRefused,
                fmt::format("the roster holds device {:016x} twice, as {} and {}",
                            certificate.device.value, named(at->second), named(own)));
  for (const Used& use : uses) keys_.emplace(use, own);
  return {};
}

Digest roster_digest(const Digest& sid, std::span<const RosterMember> members) {
  CanonicalBytes bytes;
  bytes.raw(sid).number(static_cast<std::uint32_t>(members.size()));
  for (const RosterMember& member : members)
    bytes.raw(digest_of(member.certificate)).raw(signed_advert(sid, member.advert));
  return digest_of("freshet/roster/v1", bytes.view());
}

Result<CheckedRoster> check_roster(const Descriptor& descriptor, const Digest& opening,
                                   std::span<const RosterMember> members,
                                   const RosterRules& rules) {
  TRY(check_trust(descriptor, rules.trust));
  if (beacon_commitment(opening) != descriptor.beacon)
    return fail(Code::kRefused, "the roster's beacon is not what the descriptor committed to");
  const std::size_t most = std::min<std::size_t>(descriptor.cohort_max, limits::kMaskedCohortMax);
  if (members.size() < rules.members_min || members.size() > most)
    return fail(Code::kRefused, fmt::format("a roster of {} members: it must have {} to {}",
                                            members.size(), rules.members_min, most));
  const Digest sid = sid_of(descriptor);
  CheckedRoster checked;
  checked.members.reserve(members.size());
  Distinct distinct;
  for (const RosterMember& each : members) {
    TRY_ASSIGN(CheckedMember member, check_signed(sid, each, rules));
    TRY(distinct.take(member));
    if (!checked.members.empty() &&
        !(checked.members.back().certificate.id() < member.certificate.id()))
      return fail(Code::kRefused, "the roster's members are not in rising order");
    checked.members.push_back(std::move(member));
  }
  TRY(check_newcomers(checked.members, descriptor.newcomers, rules));
  checked.digest = roster_digest(sid, members);
  checked.graph_seed = graph_seed(opening, members);
  TRY(check_keys_around(descriptor, checked, rules.own));
  return checked;
}

Result<CheckedRoster> read_roster(const Descriptor& descriptor, const Digest& opening,
                                  std::span<const RosterMember> members) {
  CheckedRoster roster;
  for (const RosterMember& each : members) {
    auto certificate = read_certificate(each.certificate);
    if (!certificate) return fail(Code::kCorrupt, "of a roster: " + certificate.error().what);
    roster.members.push_back({std::move(*certificate), each.advert});
  }
  roster.digest = roster_digest(sid_of(descriptor), members);
  roster.graph_seed = graph_seed(opening, members);
  return roster;
}

Result<std::uint32_t> place_of(const CheckedRoster& roster, NodeId own,
                               const secagg::Advert& advert) {
  for (std::size_t i = 0; i < roster.members.size(); ++i)
    if (roster.members[i].certificate.id() == own && roster.members[i].advert == advert)
      return static_cast<std::uint32_t>(i);
  return fail(Code::kRefused, "the roster does not have this node with the keys that it sent");
}

Result<std::uint32_t> check_signatures(const CheckedRoster& roster,
                                       std::span<const IndexedSignature> signatures,
                                       std::string_view domain, ByteView bytes) {
  for (std::size_t i = 0; i < signatures.size(); ++i) {
    const auto& [index, signature] = signatures[i];
    if (index >= roster.members.size() || (i > 0 && index <= signatures[i - 1].index))
      return fail(Code::kRefused, "signatures that are not in rising order of the roster");
    const Certificate& signer = roster.members[index].certificate;
    if (!verify(signer.keys.signing, domain, bytes, signature))
      return fail(Code::kRefused, "a signature of " + named(signer.id()) + " does not fit");
  }
  return static_cast<std::uint32_t>(signatures.size());
}

}  // namespace freshet
