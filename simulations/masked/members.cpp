#include "simulations/masked/members.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "base/check.h"

namespace freshet::sim {
namespace {

constexpr std::int64_t kYearS = 365 * 24 * 3600;

Certificate certificate_of(Role role, const Identity& owner, const SigningPublic& issuer) {
  Certificate certificate;
  certificate.role = role;
  certificate.serial = 1;
  certificate.device = owner.open.id();
  certificate.keys = owner.open;
  certificate.not_before_s = certificate.enrolled_s = kNowS - kYearS;
  certificate.not_after_s = kNowS + kYearS;
  certificate.capabilities = capabilities_of(role);
  certificate.issuer = issuer;
  return certificate;
}

Bytes bundle_of(const Identity& root, const Identity& issuer, std::vector<NodeId> revoked) {
  RevocationList list;
  list.serial = 1;
  list.issued_s = kNowS - 3600;
  list.expires_s = kNowS + kYearS;
  list.issuer = issuer.open.signing;
  std::ranges::sort(revoked);
  for (const NodeId device : revoked) list.entries.push_back({device, Revocation::kRevoked});
  return make_bundle(root.open.signing,
                     {issue(certificate_of(Role::kIssuer, issuer, root.open.signing), root)},
                     issue(list, issuer));
}

}  // namespace

// What pairs of keys agreed on, until the second of the two has asked.
struct Members::Agreements {
  struct Pair {
    std::uint64_t sum, both;
    bool operator==(const Pair&) const = default;
  };
  struct HashPair {
    std::size_t operator()(const Pair& pair) const { return pair.sum ^ pair.both << 1; }
  };
  using Shared = std::array<std::uint8_t, 32>;

  template <class Public>
  static Pair pair_of(const Public& a, const Public& b) {
    std::uint64_t words[2][2];
    std::memcpy(words[0], a.bytes.data(), sizeof words[0]);
    std::memcpy(words[1], b.bytes.data(), sizeof words[1]);
    return {words[0][0] + words[1][0], words[0][1] ^ words[1][1]};
  }

  template <class Public, class Agree>
  Result<void> agree(const Public& a, const Public& b, secagg::Key shared, Agree agree) {
    const Pair pair = pair_of(a, b);
    {
      const std::scoped_lock lock(mutex);
      if (const auto known = all.find(pair); known != all.end()) {
        std::ranges::copy(known->second, shared.begin());
        all.erase(known);
        return {};
      }
    }
    TRY(agree());
    const std::scoped_lock lock(mutex);
    const auto [mine, first] = all.try_emplace(pair);
    if (first)
      std::ranges::copy(shared, mine->second.begin());
    else
      all.erase(mine);  // both asked at once
    return {};
  }

  std::mutex mutex;
  std::unordered_map<Pair, Shared, HashPair> all;
};

Members::Members(std::size_t nodes, const std::vector<std::size_t>& revoked)
    : coordinator_(Identity::generate()), agreements_(std::make_shared<Agreements>()) {
  for (std::size_t i = 0; i < nodes; ++i) nodes_.push_back(Identity::generate());
  std::ranges::sort(nodes_, {}, [](const Identity& identity) { return identity.open.id(); });
  const Identity root = Identity::generate(), issuer = Identity::generate();
  for (const Identity& node : nodes_)
    certificates_.push_back(issue(certificate_of(Role::kNode, node, issuer.open.signing), issuer));
  std::vector<NodeId> gone;
  for (const std::size_t index : revoked) gone.push_back(nodes_[index].open.id());
  bundle_ = bundle_of(root, issuer, std::move(gone));
  auto trust = open_trust(root.open.signing, bundle_);
  CHECK(trust, "{}", trust.error().what);
  trust_ = std::make_shared<const Trust>(std::move(*trust));
}

Members::~Members() = default;

secagg::Seams Members::seams() const {
  secagg::Seams seams = secagg::usual_seams();
  seams.agree_on_mask = [all = agreements_](secagg::KeyView secret, const secagg::MaskPublic& ours,
                                            const secagg::MaskPublic& theirs, secagg::Key shared) {
    return all->agree(ours, theirs, shared,
                      [&] { return secagg::agree_on_mask(secret, theirs, shared); });
  };
  seams.agree_on_cipher = [all = agreements_](
                              secagg::KeyView scalar, const secagg::CipherPublic& ours,
                              const secagg::CipherPublic& theirs, secagg::Key shared) {
    return all->agree(ours, theirs, shared,
                      [&] { return secagg::agree_on_cipher(scalar, theirs, shared); });
  };
  return seams;
}

secagg::RoundKeys Members::make_keys() const { return secagg::RoundKeys::make_with(seams()); }

}  // namespace freshet::sim
