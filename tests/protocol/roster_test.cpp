#include "protocol/roster.h"

#include <algorithm>

#include "crypto/digest.h"
#include "crypto/secagg/possession.h"
#include "tests/crypto/certificates/authority_keys.h"
#include "tests/protocol/samples.h"

namespace freshet {
namespace {

// A roster of nodes that an authority certified, as an honest coordinator makes it.
struct World {
  AuthorityKeys authority;
  Trust trust = authority.trust();
  Descriptor descriptor = samples::descriptor();
  Digest opening = samples::digest(77);
  std::vector<Identity> nodes;
  std::vector<RosterMember> members;
  std::map<secagg::CipherPublic, secagg::Scalar> secrets;

  explicit World(std::size_t count = 6) {
    descriptor.trust = trust.serial();
    descriptor.beacon = beacon_commitment(opening);
    descriptor.newcomers = {1, 1};
    for (std::size_t i = 0; i < count; ++i) nodes.push_back(Identity::generate());
    std::sort(nodes.begin(), nodes.end(),
              [](const Identity& a, const Identity& b) { return a.open.id() < b.open.id(); });
    for (const Identity& node : nodes) members.push_back(member_of(node));
  }
  RosterMember member_of(const Identity& node) {
    return member_of(node, authority.certificate_of(node));
  }
  RosterMember member_of(const Identity& node, const Certificate& certificate) {
    RosterMember member{issue(certificate, authority.issuer), random_advert(), {}};
    sign_again(member, node);
    return member;
  }
  secagg::Advert random_advert() {
    secagg::Advert advert{};
    for (auto* part : {&advert.mask.bytes, &advert.commit, &advert.nonce}) random_bytes(*part);
    std::array<std::uint8_t, 64> wide;
    random_bytes(wide);
    const secagg::Scalar secret = secagg::reduce(wide);
    advert.cipher = secagg::cipher_public(secret);
    secrets[advert.cipher] = secret;
    return advert;
  }
  void sign_again(RosterMember& member, const Identity& node) const {
    const Digest sid = sid_of(descriptor);
    const secagg::Claim claim{sid, node.open.signing, member.advert};
    if (const auto secret = secrets.find(member.advert.cipher); secret != secrets.end())
      member.advert.possession = secagg::prove_possession(secret->second, claim, random_bytes);
    member.signature = sign(node, kAdvertDomain, signed_advert(sid_of(descriptor), member.advert));
  }
  Result<CheckedRoster> check(RosterRules rules) const {
    return check_roster(descriptor, opening, members, rules);
  }
  Result<CheckedRoster> check() const { return check({.trust = trust, .now_s = kNow}); }
};

TEST(Roster, TakesWhatAnHonestCoordinatorMakes) {
  const World world;
  const auto checked = world.check();
  ASSERT_TRUE(checked) << checked.error().what;
  ASSERT_EQ(checked->members.size(), 6u);
  EXPECT_EQ(checked->members[2].certificate.id(), world.nodes[2].open.id());
  EXPECT_EQ(*place_of(*checked, world.nodes[4].open.id(), world.members[4].advert), 4u);
  const auto read = read_roster(world.descriptor, world.opening, world.members);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->digest, checked->digest);
  EXPECT_EQ(read->graph_seed, checked->graph_seed);
}

TEST(Roster, EveryMembersKeysHaveAPartInItsDigestAndItsGraph) {
  World world;
  const CheckedRoster before = world.check().value();
  world.members[3] = world.member_of(world.nodes[3]);
  const CheckedRoster after = world.check().value();
  EXPECT_NE(before.digest, after.digest);
  EXPECT_NE(before.graph_seed, after.graph_seed);
}

TEST(Roster, RefusesAMemberThatIsTwiceThereUnderAnyOfItsKeys) {
  World world;
  Certificate twin = world.authority.certificate_of(world.nodes[1]);
  twin.device = world.nodes[0].open.id();
  world.members[1] = world.member_of(world.nodes[1], twin);
  expect_error(world.check(), Code::kRefused, "the roster holds device");

  const auto with_key_of_the_first = [](auto change) {
    World each;
    change(each.members[1].advert, each.members[0].advert);
    each.sign_again(each.members[1], each.nodes[1]);
    expect_error(each.check(), Code::kRefused, "stands in the roster twice");
  };
  with_key_of_the_first([](auto& a, const auto& b) { a.cipher = b.cipher; });
  with_key_of_the_first([](auto& a, const auto& b) { a.mask = b.mask; });
  with_key_of_the_first([](auto& a, const auto& b) { a.commit = b.commit; });
  with_key_of_the_first([](auto& a, const auto& b) { a.nonce = b.nonce; });
  with_key_of_the_first([](auto& a, const auto& b) { a.mask.bytes = b.commit; });
}

TEST(Roster, RefusesAnotherOrder) {
  World world;
  std::swap(world.members[1], world.members[2]);
  expect_error(world.check(), Code::kRefused, "not in rising order");
  world.members[2] = world.members[1];
  EXPECT_FALSE(world.check());
}

TEST(Roster, RefusesKeysThatTheirOwnerDidNotSignForThisRound) {
  World world;
  world.members[2].advert.mask.bytes[0] ^= 1;
  expect_error(world.check(), Code::kRefused, "are not signed by it");
  World other;
  other.descriptor.round.value += 1;
  expect_error(other.check(), Code::kRefused, "are not signed by it");
}

std::string named(NodeId node) {
  char text[32];
  std::snprintf(text, sizeof text, "node %016llx", static_cast<unsigned long long>(node.value));
  return text;
}

// One enrolled node could else end the rounds of all without being named.
TEST(Roster, NamesWhoseKeysCannotBeAgreedWith) {
  const auto says = [](auto change) {
    World world;
    secagg::Advert& advert = world.members[2].advert;
    change(advert);
    world.sign_again(world.members[2], world.nodes[2]);
    const auto checked = world.check();
    const std::string name = named(world.nodes[2].open.id());
    EXPECT_TRUE(!checked && checked.error().what.find(name) != std::string::npos);
    return checked ? std::string() : checked.error().what;
  };
  EXPECT_NE(says([](auto& a) { a.mask.bytes.fill(0); }).find("low order"), std::string::npos);
  EXPECT_NE(says([](auto& a) { a.cipher.bytes.fill(0); }).find("secret"), std::string::npos);
  EXPECT_NE(says([](auto& a) { a.cipher.bytes.fill(0xff); }).find("secret"), std::string::npos);
  const auto own = [](secagg::Advert& a) { a.commit = a.mask.bytes; };
  EXPECT_NE(says(own).find("both times with it"), std::string::npos);
}

// To advertise what stands in another's certificate keeps nobody out.
TEST(Roster, ANodeIsNotKeptOutByWhatAnotherAdvertises) {
  World world;
  world.members[1].advert.mask.bytes = world.nodes[3].open.sealing.bytes;
  world.sign_again(world.members[1], world.nodes[1]);
  EXPECT_TRUE(world.check());
  world.members[1].advert.mask.bytes = world.nodes[1].open.sealing.bytes;
  world.sign_again(world.members[1], world.nodes[1]);
  expect_error(world.check(), Code::kRefused, "both times with it");
}

TEST(Roster, RefusesACipherKeyWithoutAProofForThisRound) {
  World world;
  std::swap(world.members[2].advert.possession, world.members[3].advert.possession);
  for (const std::size_t i : {2u, 3u}) {
    RosterMember& member = world.members[i];
    member.signature =
        sign(world.nodes[i], kAdvertDomain, signed_advert(sid_of(world.descriptor), member.advert));
  }
  expect_error(world.check(), Code::kRefused, "does not show to know");
}

TEST(Roster, RefusesWhomTheAuthorityDidNotCertify) {
  World world;
  const AuthorityKeys another;
  world.members[5].certificate = issue(another.certificate_of(world.nodes[5]), another.issuer);
  EXPECT_EQ(world.check().error().code, Code::kRefused);

  World coordinator;
  coordinator.members[5] = coordinator.member_of(
      coordinator.nodes[5],
      coordinator.authority.certificate_of(coordinator.nodes[5], Role::kCoordinator));
  EXPECT_EQ(coordinator.check().error().code, Code::kRefused);

  World revoked;
  revoked.authority.list.serial = 2;
  revoked.authority.list.entries = {{revoked.nodes[3].open.id()}};
  revoked.trust = revoked.authority.trust();
  revoked.descriptor.trust = revoked.trust.serial();
  for (std::size_t i = 0; i < revoked.members.size(); ++i)
    revoked.sign_again(revoked.members[i], revoked.nodes[i]);
  expect_error(revoked.check(), Code::kRefused, "revoked");

  const World late;
  EXPECT_EQ(late.check({.trust = late.trust, .now_s = kNow + 2 * kDay}).error().code,
            Code::kExpired);
}

// A coordinator on an old list would bring revoked nodes back; one on a newer list is believed only
// once the list is here.
TEST(Roster, GoesByTheNewestListOfRevocations) {
  World world;
  AuthorityKeys& authority = world.authority;
  authority.list.serial = 2;
  const Trust newer = authority.trust();
  expect_error(world.check({.trust = newer, .now_s = kNow}), Code::kRefused, "must renew");
  World ahead;
  ahead.descriptor.trust.list += 1;
  expect_error(ahead.check(), Code::kUnavailable, "fetch the newer");
}

TEST(Roster, RefusesABeaconThatWasNotCommittedTo) {
  World world;
  world.opening[0] ^= 1;
  expect_error(world.check(), Code::kRefused, "beacon");
}

TEST(Roster, IsNeitherTooSmallNorTooLarge) {
  World world;
  EXPECT_TRUE(world.check({.trust = world.trust, .now_s = kNow, .members_min = 6}));
  expect_error(world.check({.trust = world.trust, .now_s = kNow, .members_min = 7}), Code::kRefused,
               "a roster of 6 members: it must have 7 to 64");
  world.descriptor.cohort_max = 5;
  EXPECT_FALSE(world.check());
}

TEST(Roster, BoundsTheShareOfNewcomers) {
  World world;
  Certificate old = world.authority.certificate_of(world.nodes[0]);
  old.enrolled_s = kNow - 30 * kDay;
  world.members[0] = world.member_of(world.nodes[0], old);
  const auto with = [&](Fraction newcomers) {
    return world.check({.trust = world.trust, .now_s = kNow, .newcomers = newcomers});
  };
  EXPECT_TRUE(with({5, 6}));
  expect_error(with({4, 6}), Code::kRefused, "5 of 6 members enrolled less than 7 days ago, 4 may");
  EXPECT_TRUE(world.check(
      {.trust = world.trust, .now_s = kNow, .newcomers = {4, 6}, .newcomer_s = kDay / 2}));
}

// On a sparse graph. A node deals to its neighbours alone, and complains about them alone.
TEST(Roster, ANodeChecksThatItsNeighboursKnowTheirSecrets) {
  World world(300);
  Descriptor& d = world.descriptor;
  d.corrupt = d.dropped = {1, 20}, d.honest_min = 1, d.cohort_max = 300;
  for (std::size_t i = 0; i < world.nodes.size(); ++i)
    world.sign_again(world.members[i], world.nodes[i]);
  const GraphPlan plan = graph_of(d, 300).value();
  ASSERT_FALSE(plan.complete);
  const Graph graph(world.check()->graph_seed, 300, plan.degree);
  const std::vector<std::uint32_t> near = graph.neighbours(0);
  std::uint32_t far = 1;
  while (std::ranges::binary_search(near, far)) ++far;
  const auto check_with_bad = [&](std::uint32_t place, std::optional<NodeId> own) {
    RosterMember& member = world.members[place];
    const RosterMember good = member;
    member.advert.possession[40] ^= 1;
    member.signature =
        sign(world.nodes[place], kAdvertDomain, signed_advert(sid_of(d), member.advert));
    auto checked = world.check({.trust = world.trust, .now_s = kNow, .own = own});
    member = good;
    return checked;
  };
  const NodeId own = world.nodes[0].open.id();
  EXPECT_TRUE(check_with_bad(far, own));
  expect_error(check_with_bad(near[1], own), Code::kRefused, "does not show to know");
  expect_error(check_with_bad(far, std::nullopt), Code::kRefused, "does not show to know");
  expect_error(check_with_bad(far, NodeId{1}), Code::kRefused, "does not show to know");
}

TEST(Roster, TheOwnPlaceIsThatOfTheOwnKeys) {
  World world;
  const CheckedRoster roster = world.check().value();
  secagg::Advert swapped = world.members[1].advert;
  swapped.mask.bytes[0] ^= 1;
  expect_error(place_of(roster, world.nodes[1].open.id(), swapped), Code::kRefused,
               "does not have this node");
  EXPECT_FALSE(place_of(roster, NodeId{1}, world.members[1].advert));
}

TEST(Roster, SignaturesFitTheirMembersOnceEach) {
  World world;
  const CheckedRoster roster = world.check().value();
  const Bytes document = signed_abort(sid_of(world.descriptor));
  std::vector<IndexedSignature> votes;
  for (const std::uint32_t place : {0u, 2u, 5u})
    votes.push_back({place, sign(world.nodes[place], kAbortDomain, document)});
  EXPECT_EQ(check_signatures(roster, votes, kAbortDomain, document).value(), 3u);
  EXPECT_FALSE(check_signatures(roster, votes, kSurvivorsDomain, document));
  auto doubled = votes;
  doubled[1] = doubled[0];
  expect_error(check_signatures(roster, doubled, kAbortDomain, document), Code::kRefused, "rising");
  auto moved = votes;
  moved[0].index = 1;
  expect_error(check_signatures(roster, moved, kAbortDomain, document), Code::kRefused,
               "does not fit");
  auto beyond = votes;
  beyond[2].index = 6;
  EXPECT_FALSE(check_signatures(roster, beyond, kAbortDomain, document));
}

}  // namespace
}  // namespace freshet
