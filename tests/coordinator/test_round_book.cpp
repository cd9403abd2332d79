// The coordinator's masked round against the nodes' own code, message by message.

#include "crypto/digest.h"
#include "crypto/secagg/possession.h"
#include "tests/coordinator/masked_fleet.h"

namespace freshet {
namespace {

template <class T>
std::size_t heard(const MaskedFleet::Node& node) {
  return static_cast<std::size_t>(
      std::count_if(node.heard.begin(), node.heard.end(),
                    [](const CoordinatorMessage& m) { return std::holds_alternative<T>(m); }));
}

TEST(RoundBook, OpensTheVerySumOfItsSurvivors) {
  MaskedFleet fleet(7);
  fleet.all_ready();
  fleet.tick(0);
  fleet.deliver();
  expect_published(fleet, all_but(7, {}));
}

// I1: whatever phase a node is lost in, the sum is over those who are left, bit for bit.
template <class LastWord>
void expect_published_without_the_third_after(const std::vector<std::size_t>& who) {
  MaskedFleet fleet(7);
  fleet.up = [&](std::size_t from, NodeMessage& message) {
    if (from == 2 && std::holds_alternative<LastWord>(message)) fleet.vanish(2);
    return from != 2 || !fleet.nodes[2].away;
  };
  fleet.all_ready();
  fleet.tick(0);
  for (int i = 0; i < 4 && fleet.state.version.value == 0; ++i) {
    fleet.deliver();
    fleet.wait_out_the_phase();
  }
  expect_published(fleet, who);
}

TEST(RoundBook, GoesOnWithoutANodeThatIsLostInAnyPhase) {
  expect_published_without_the_third_after<Advertise>(all_but(7, {2}));
  expect_published_without_the_third_after<ShareBundle>(all_but(7, {2}));
  expect_published_without_the_third_after<UploadChunk>(all_but(7, {2}));
  expect_published_without_the_third_after<AgreeSurvivors>(all_but(7, {}));
  expect_published_without_the_third_after<Reveal>(all_but(7, {}));
}

// A restart in every phase: before shares are out the round is over; later it ends with the same
// lists and the same sum.
TEST(RoundBook, GoesOnAfterTheCoordinatorStartedAgain) {
  for (int words = 1; words < 40; ++words) {
    SCOPED_TRACE(words);
    MaskedFleet fleet(7);
    int left = words;
    std::string phase;
    fleet.up = [&](std::size_t, NodeMessage&) { return left-- > 0; };
    fleet.all_ready();
    fleet.tick(0);
    fleet.deliver();  // until so many were heard, then nothing more arrives
    phase = fleet.phase();
    fleet.up = {};
    fleet.restart();
    if (phase == "advertising" || phase == "sharing") {
      EXPECT_EQ(fleet.phase(), "gathering");
      continue;
    }
    EXPECT_EQ(fleet.phase(), phase);
    for (MaskedFleet::Node& node : fleet.nodes)
      ASSERT_TRUE(node.round->feed(exchange::Reconnected{fleet.now}, fleet.now));
    fleet.deliver();
    expect_published(fleet, all_but(7, {}));
  }
}

TEST(RoundBook, MasksAgainWithTheSignaturesThatTheRoundBeforeWasGivenUp) {
  MaskedFleet fleet(7);
  fleet.up = [](std::size_t from, NodeMessage& m) {
    return from < 3 || !std::holds_alternative<UploadChunk>(m);
  };
  fleet.all_ready();
  fleet.tick(0);
  fleet.deliver();
  EXPECT_EQ(fleet.phase(), "collecting");
  fleet.wait_out_the_phase();
  EXPECT_EQ(fleet.phase(), "aborting");
  fleet.deliver();
  EXPECT_EQ(fleet.phase(), "gathering");
  ASSERT_EQ(fleet.state.given_up.size(), 1u);
  const AbortCertificate certificate =
      abort_certificate(fleet.state.given_up[0], [&](const Digest& digest) {
        return fleet.document(digest);
      }).value();
  EXPECT_EQ(certificate.signatures.size(), 5u);
  fleet.up = {};
  fleet.all_ready();
  fleet.tick(0);
  fleet.deliver();
  expect_published(fleet, all_but(7, {}));
  for (const auto& node : fleet.nodes) EXPECT_EQ(node.rounds_joined, 2u);
}

// I12: a box that does not open is shown, its sender is out, and nobody else pays for it.
TEST(RoundBook, FindsOutWhoSentABadBox) {
  MaskedFleet fleet(8);
  const NodeId liar = fleet.nodes[4].identity.open.id();
  fleet.up = [&](std::size_t from, NodeMessage& message) {
    auto* bundle = std::get_if<ShareBundle>(&message);
    if (from != 4 || bundle == nullptr) return true;
    SignedBox& box = bundle->boxes[1];
    box.box[40] ^= 1;  // and it signs that
    box.signature = sign(fleet.nodes[4].identity, kBoxDomain,
                         signed_box({bundle->sid, bundle->roster, 4, box.peer}, box.box));
    return true;
  };
  fleet.all_ready();
  fleet.tick(0);
  fleet.deliver();
  EXPECT_EQ(fleet.state.nodes.at(liar).offences, limits::kOffencesMax);
  EXPECT_EQ(fleet.phase(), "gathering");
  EXPECT_EQ(fleet.state.given_up.size(), 1u);
}

TEST(RoundBook, FindsOutWhoComplainsAboutAGoodBox) {
  MaskedFleet fleet(8);
  const NodeId complainer = fleet.nodes[3].identity.open.id();
  std::optional<SignedBox> good;
  fleet.down = [&](std::size_t to, CoordinatorMessage& message) {
    auto* forward = std::get_if<Forward>(&message);
    if (to != 3 || forward == nullptr) return true;
    good = forward->boxes[0];
    forward->boxes[0].box[40] ^= 1;  // a broken memory, or a lie: the coordinator sent a good one
    forward->boxes[0].signature = sign(
        fleet.nodes[forward->boxes[0].peer].identity, kBoxDomain,
        signed_box(
            {forward->sid, roster_digest(forward->sid, fleet.roster()), forward->boxes[0].peer, 3},
            forward->boxes[0].box));
    return true;
  };
  fleet.up = [&](std::size_t from, NodeMessage& message) {
    auto* complaint = std::get_if<Complaint>(&message);
    if (from != 3 || complaint == nullptr) return true;
    complaint->box = *good;
    complaint->signature =
        sign(fleet.nodes[3].identity, kComplaintDomain,
             signed_complaint(complaint->sid, complaint->box, complaint->evidence));
    return true;
  };
  fleet.all_ready();
  fleet.tick(0);
  fleet.deliver();
  EXPECT_EQ(fleet.state.nodes.at(complainer).offences, limits::kOffencesMax);
  expect_published(fleet, all_but(8, {3}));
}

std::string named(NodeId node) {
  char text[32];
  std::snprintf(text, sizeof text, "node %016llx", static_cast<unsigned long long>(node.value));
  return text;
}

// I13 on the coordinator's side: what is changed on the way, or said by another, is refused.
TEST(RoundBook, RefusesWhatItsSenderDidNotSign) {
  NodeId the_second;
  const auto refusals_after = [&](auto change) {
    MaskedFleet fleet(7);
    fleet.up = [&](std::size_t from, NodeMessage& message) {
      if (from == 1) std::visit(change, message);
      return true;
    };
    the_second = fleet.nodes[1].identity.open.id();
    fleet.all_ready();
    fleet.tick(0);
    fleet.deliver();
    return fleet.refused.empty() ? std::string("none") : fleet.refused[0].what;
  };
  const std::string of_an_advert = refusals_after([](auto& m) {
    if constexpr (requires { m.advert; }) m.advert.mask.bytes[3] ^= 1;
  });
  EXPECT_EQ(of_an_advert, "the round's keys of " + named(the_second) +
                              " are not signed by it, or for another round");
  EXPECT_EQ(refusals_after([](auto& m) {
              if constexpr (requires { m.boxes; }) m.boxes[2].box[100] ^= 1;
            }),
            "a box of shares is not signed by its sender for this round");
  EXPECT_EQ(refusals_after([](auto& m) {
              if constexpr (requires { m.boxes; }) m.boxes.pop_back();
            }),
            "shares that are not one for every neighbour");
  EXPECT_EQ(refusals_after([](auto& m) {
              if constexpr (requires { m.boxes; }) m.roster[0] ^= 1;
            }),
            "shares for another roster than this round's");
  EXPECT_EQ(refusals_after([](auto& m) {
              if constexpr (std::is_same_v<std::decay_t<decltype(m)>, AgreeSurvivors>)
                m.signature[0] ^= 1;
            }),
            "the list of survivors is not signed by its sender for this round");
  EXPECT_EQ(refusals_after([](auto& m) {
              if constexpr (requires {
                              m.blob;
                              m.data;
                            })
                m.data[70] ^= 1;
            }),
            "a masked vector is not signed by its sender for this round");
}

// One enrolled node whose advert the others would refuse: it is named, and they go on without it.
TEST(RoundBook, GoesOnWithoutANodeWhoseKeysTheOthersWouldRefuse) {
  const std::vector<std::pair<std::string, std::function<void(secagg::Advert&)>>> kBad = {
      {"low order", [](secagg::Advert& a) { a.mask.bytes.fill(0); }},
      {"does not show to know", [](secagg::Advert& a) { a.cipher.bytes.fill(0); }},
      {"does not show to know", [](secagg::Advert& a) { a.possession.fill(1); }},
      {"two places", [](secagg::Advert& a) { a.nonce = a.commit; }}};
  for (const auto& [says, spoil] : kBad) {
    MaskedFleet fleet(7);
    fleet.up = [&](std::size_t from, NodeMessage& message) {
      auto* advertise = std::get_if<Advertise>(&message);
      if (from != 4 || advertise == nullptr) return true;
      spoil(advertise->advert);
      advertise->signature = sign(fleet.nodes[4].identity, kAdvertDomain,
                                  signed_advert(advertise->sid, advertise->advert));
      return true;
    };
    fleet.all_ready();
    fleet.tick(0);
    fleet.deliver();
    ASSERT_FALSE(fleet.refused.empty()) << says;
    EXPECT_NE(fleet.refused[0].what.find(says), std::string::npos) << fleet.refused[0].what;
    const std::string name = named(fleet.nodes[4].identity.open.id());
    EXPECT_NE(fleet.refused[0].what.find(name), std::string::npos) << fleet.refused[0].what;
    fleet.wait_out_the_phase();
    fleet.refused.clear();
    fleet.deliver();
    expect_published(fleet, all_but(7, {4}));
  }
}

// Who advertises what another has advertised comes second, whoever it is.
TEST(RoundBook, GoesOnWithoutANodeThatRepeatsAnothersKeys) {
  MaskedFleet fleet(7);
  std::optional<secagg::Advert> first;
  fleet.up = [&](std::size_t from, NodeMessage& message) {
    auto* advertise = std::get_if<Advertise>(&message);
    if (advertise == nullptr) return true;
    if (!first) first = advertise->advert;
    if (from != 4) return true;
    const Identity& own = fleet.nodes[4].identity;
    std::array<std::uint8_t, 64> wide;
    random_bytes(wide);
    const secagg::Scalar secret = secagg::reduce(wide);
    secagg::Advert& advert = advertise->advert;
    advert.cipher = secagg::cipher_public(secret);
    advert.commit = first->commit;
    advert.possession =
        secagg::prove_possession(secret, {advertise->sid, own.open.signing, advert}, random_bytes);
    advertise->signature = sign(own, kAdvertDomain, signed_advert(advertise->sid, advert));
    return true;
  };
  fleet.all_ready();
  fleet.tick(0);
  fleet.deliver();
  ASSERT_FALSE(fleet.refused.empty());
  EXPECT_NE(fleet.refused[0].what.find("stands in the roster twice"), std::string::npos);
  fleet.wait_out_the_phase();
  fleet.refused.clear();
  fleet.deliver();
  expect_published(fleet, all_but(7, {4}));
}

TEST(RoundBook, WorksAroundAWrongShareAndNamesItsMaker) {
  MaskedFleet fleet(7);
  fleet.up = [&](std::size_t from, NodeMessage& message) {
    auto* reveal = std::get_if<Reveal>(&message);
    if (from == 0 && reveal != nullptr) reveal->shares[3].value[0] ^= 1;
    return true;
  };
  fleet.all_ready();
  fleet.tick(0);
  fleet.deliver();
  expect_published(fleet, all_but(7, {}));
}

// A vector that no clip ever saw drowns the others: the sum of it is not taken.
TEST(RoundBook, RefusesASumThatClippedUpdatesCannotMake) {
  MaskedFleet fleet(7);
  for (float& value : fleet.nodes[5].update.values) value = 1;  // norm 7 where the clip is 1
  fleet.all_ready();
  fleet.tick(0);
  fleet.deliver();
  EXPECT_FALSE(fleet.mean);
  EXPECT_NE(fleet.ruined.find("clip"), std::string::npos) << fleet.ruined;
  EXPECT_EQ(fleet.state.version, VersionId{0});
  EXPECT_EQ(campaign::spent_count(fleet.state), 7u);
}

TEST(RoundBook, LeavesOutWhomTheAuthorityRevoked) {
  MaskedFleet fleet(7);
  fleet.authority.list.serial = 2;
  fleet.authority.list.entries = {{fleet.nodes[6].identity.open.id()}};
  fleet.trust = std::make_shared<Trust>(fleet.authority.trust());
  fleet.all_ready();
  fleet.tick(0);
  fleet.deliver();
  EXPECT_EQ(fleet.phase(), "advertising");
  ASSERT_FALSE(fleet.refused.empty());
  EXPECT_EQ(fleet.refused[0].code, Code::kRefused);
  fleet.wait_out_the_phase();
  fleet.refused.clear();
  fleet.deliver();
  expect_published(fleet, all_but(7, {6}));
}

// I9, in the middle of a campaign: the list that came between two rounds holds from the next.
TEST(RoundBook, LeavesOutWhomTheAuthorityRevokedSinceTheLastRound) {
  MaskedFleet fleet(7);
  fleet.all_ready();
  fleet.tick(0);
  fleet.deliver();
  expect_published(fleet, all_but(7, {}));
  fleet.authority.list.serial = 2;
  fleet.authority.list.entries = {{fleet.nodes[6].identity.open.id()}};
  fleet.trust = std::make_shared<Trust>(fleet.authority.trust());
  fleet.all_ready();
  fleet.tick(0);
  fleet.deliver();
  ASSERT_EQ(fleet.phase(), "advertising");
  ASSERT_EQ(fleet.refused.size(), 1u);
  EXPECT_NE(fleet.refused[0].what.find("revoked"), std::string::npos) << fleet.refused[0].what;
  fleet.wait_out_the_phase();
  fleet.deliver();
  EXPECT_EQ(fleet.state.version, VersionId{2}) << fleet.phase() << " " << fleet.ruined;
  EXPECT_EQ(fleet.mean->sum, digest_of_sum(fleet.expected(all_but(7, {6}))));
}

}  // namespace
}  // namespace freshet
