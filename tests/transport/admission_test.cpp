// Who gets in. CURVE fails open in libzmq unless two settings are made: the first tests pin down
// what the library itself does, the others what our ends do.
#include <gtest/gtest.h>

#include <zmq.hpp>

#include "tests/transport/loopback.h"
#include "transport/zap_handler.h"

namespace freshet {
namespace {

using Outcome = PlainClient::Outcome;
using Mechanism = PlainClient::Mechanism;

constexpr int kZapEnforceDomain = 93;

std::string bind_anywhere(void* socket) {
  EXPECT_EQ(zmq_bind(socket, kAnyPort), 0);
  char endpoint[256];
  std::size_t size = sizeof endpoint;
  EXPECT_EQ(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
  return endpoint;
}

// What a CURVE server of plain libzmq without any ZAP handler says to a key it has never seen.
Outcome outcome_at_bare_server(bool enforce, std::string_view domain) {
  const Identity server = Identity::generate(), stranger = Identity::generate();
  const Context context = make_context(1).value();
  const Socket socket = make_socket(context.get(), ZMQ_ROUTER).value();
  EXPECT_TRUE(set_option(socket.get(), ZMQ_LINGER, 0));
  EXPECT_TRUE(set_option(socket.get(), ZMQ_CURVE_SERVER, 1));
  EXPECT_TRUE(set_option(socket.get(), ZMQ_CURVE_SECRETKEY, server.transport.view()));
  if (!domain.empty()) {
    EXPECT_TRUE(set_option(socket.get(), ZMQ_ZAP_DOMAIN, as_bytes(domain)));
  }
  EXPECT_TRUE(set_option(socket.get(), kZapEnforceDomain, enforce ? 1 : 0));
  const std::string address = bind_anywhere(socket.get());
  return PlainClient(address, Mechanism::kCurve, stranger, server.open.transport).outcome();
}

TEST(LibzmqCurve, LetsAStrangerInWithoutEnforcementOrDomain) {
  EXPECT_EQ(outcome_at_bare_server(false, ""), Outcome::kAdmitted);
}
TEST(LibzmqCurve, LetsAStrangerInWithADomainThatIsNotEnforced) {
  EXPECT_EQ(outcome_at_bare_server(false, "freshet"), Outcome::kAdmitted);
}
TEST(LibzmqCurve, LetsAStrangerInWithEnforcementOfNoDomain) {
  EXPECT_EQ(outcome_at_bare_server(true, ""), Outcome::kAdmitted);
}
TEST(LibzmqCurve, RefusesAStrangerWithAnEnforcedDomain) {
  EXPECT_EQ(outcome_at_bare_server(true, "freshet"), Outcome::kRefused);
}

// The settings of our router, with the handler in the test's hands.
class Admission : public testing::Test {
 protected:
  void SetUp() override {
    allow_.add(node_.open.transport);
    context_ = make_context(1).value();
    zap_ = ZapHandler::start(context_.get(), door()).value();
    socket_ = make_socket(context_.get(), ZMQ_ROUTER).value();
    ASSERT_TRUE(bound_socket(socket_.get(), kAnyPort));
    ASSERT_TRUE(secure_server(socket_.get(), coordinator_, "freshet"));
    address_ = bind_anywhere(socket_.get());
  }
  ZeromqRouter::Handshake door() const {
    return [admits = allow_.admits()](const TransportPublic& key, std::string_view) {
      return admits(key);
    };
  }
  Outcome outcome_of(const Identity& identity) {
    return PlainClient(address_, Mechanism::kCurve, identity, coordinator_.open.transport)
        .outcome();
  }

  Identity coordinator_ = Identity::generate(), node_ = Identity::generate();
  AllowList allow_;
  Context context_;
  std::unique_ptr<ZapHandler> zap_;
  Socket socket_;
  std::string address_;
};

TEST_F(Admission, ReadsTheTwoSettingsBack) {
  int enforced = 0;
  std::size_t size = sizeof enforced;
  ASSERT_EQ(zmq_getsockopt(socket_.get(), kZapEnforceDomain, &enforced, &size), 0);
  EXPECT_EQ(enforced, 1);
  char domain[256];
  size = sizeof domain;
  ASSERT_EQ(zmq_getsockopt(socket_.get(), ZMQ_ZAP_DOMAIN, domain, &size), 0);
  EXPECT_GT(size, 1u) << "not empty";
}

TEST_F(Admission, IsForListedKeysOnly) {
  EXPECT_EQ(outcome_of(node_), Outcome::kAdmitted);
  EXPECT_EQ(outcome_of(Identity::generate()), Outcome::kRefused);
  allow_.strike(node_.open.transport);
  EXPECT_EQ(outcome_of(node_), Outcome::kRefused);
}

TEST_F(Admission, IsForNobodyOnceTheHandlerIsDead) {
  ASSERT_EQ(outcome_of(node_), Outcome::kAdmitted);
  zap_.reset();
  EXPECT_EQ(outcome_of(node_), Outcome::kRefused);
  EXPECT_EQ(outcome_of(Identity::generate()), Outcome::kRefused);
}

TEST_F(Admission, IsForNobodyWhenTheLookUpThrows) {
  zap_.reset();
  zap_ = ZapHandler::start(context_.get(), [](const TransportPublic&, std::string_view) -> bool {
           throw std::runtime_error("no list");
         }).value();
  EXPECT_EQ(outcome_of(node_), Outcome::kRefused);
}

TEST_F(Admission, AllowsOneHandlerAContext) {
  EXPECT_FALSE(ZapHandler::start(context_.get(), door()));
}

class Router : public testing::Test {
 protected:
  void SetUp() override {
    allow_.add(node_.open.transport);
    router_ = ZeromqRouter::bind(kAnyPort, coordinator_, allow_.admits()).value();
  }
  // A listed node gets through, and nothing else came in before it.
  void expect_only_the_node_is_heard() {
    const auto node =
        ZeromqDealer::connect(router_->address(), node_, coordinator_.open.transport).value();
    ASSERT_TRUE(deliver(*node, coordinator_.open.transport, Bytes{42}));
    const auto inbound = next(*router_);
    ASSERT_TRUE(inbound);
    EXPECT_EQ(inbound->from, node_.open.transport);
    EXPECT_EQ(inbound->frame, Bytes{42});
  }

  Identity coordinator_ = Identity::generate(), node_ = Identity::generate();
  AllowList allow_;
  std::unique_ptr<ZeromqRouter> router_;
};

TEST_F(Router, RefusesAnUnknownKey) {
  const Identity stranger = Identity::generate();
  PlainClient client(router_->address(), Mechanism::kCurve, stranger, coordinator_.open.transport);
  EXPECT_TRUE(client.send({{1}}));
  EXPECT_EQ(client.outcome(), Outcome::kRefused);
  expect_only_the_node_is_heard();
}

TEST_F(Router, GivesNothingToClientsOfOtherMechanisms) {
  for (Mechanism mechanism : {Mechanism::kNull, Mechanism::kPlain}) {
    PlainClient client(router_->address(), mechanism, {}, {});
    EXPECT_TRUE(client.send({{1}}));
    EXPECT_EQ(client.outcome(), Outcome::kRefused);
  }
  expect_only_the_node_is_heard();
}

TEST_F(Router, IsNotTrustedUnderAnotherKeyThanThePinnedOne) {
  const Identity other = Identity::generate();
  PlainClient client(router_->address(), Mechanism::kCurve, node_, other.open.transport);
  EXPECT_EQ(client.outcome(), Outcome::kRefused);
  const auto node = ZeromqDealer::connect(router_->address(), node_, other.open.transport).value();
  Result<void> sent;
  ASSERT_TRUE(until({node.get()}, [&] {
    sent = node->send(other.open.transport, Bytes{1});
    return sent || sent.error().what.find("key") != std::string::npos;
  }));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Code::kUnavailable) << sent.error().what;
  expect_only_the_node_is_heard();
}

TEST_F(Router, TellsARefusedNodeWhyAndTakesItOnceItIsListed) {
  const Identity late = Identity::generate();
  const auto node =
      ZeromqDealer::connect(router_->address(), late, coordinator_.open.transport).value();
  ASSERT_TRUE(until({node.get()}, [&] {
    auto sent = node->send(coordinator_.open.transport, Bytes{1});
    return !sent && sent.error().what.find("does not let this key in") != std::string::npos;
  }));
  allow_.add(late.open.transport);
  ASSERT_TRUE(deliver(*node, coordinator_.open.transport, Bytes{7}));
  EXPECT_EQ(next(*router_)->from, late.open.transport);
}

TEST_F(Router, DropsTheNextMessageOfARevokedKeyAndSendsItNothing) {
  const Identity loyal = Identity::generate();
  allow_.add(loyal.open.transport);
  const auto revoked =
      ZeromqDealer::connect(router_->address(), node_, coordinator_.open.transport).value();
  const auto witness =
      ZeromqDealer::connect(router_->address(), loyal, coordinator_.open.transport).value();
  ASSERT_TRUE(deliver(*revoked, coordinator_.open.transport, Bytes{1}));
  ASSERT_EQ(next(*router_)->frame, Bytes{1});
  allow_.strike(node_.open.transport);
  EXPECT_EQ(router_->send(node_.open.transport, Bytes{2}).error().code, Code::kRefused);
  // Many, so that some are read before the witness's one under any interleaving of the two
  // connections.
  for (std::uint8_t i = 0; i < 20; ++i)
    ASSERT_TRUE(deliver(*revoked, coordinator_.open.transport, Bytes{3, i}));
  for (std::uint8_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(deliver(*witness, coordinator_.open.transport, Bytes{4, i}));
    const auto inbound = next(*router_);
    ASSERT_TRUE(inbound);
    EXPECT_EQ(inbound->from, loyal.open.transport);
  }
}

// A routing id is the client's own choice: it neither names a peer nor takes another's place.
TEST_F(Router, NamesPeersByKeyWhateverRoutingIdTheyChoose) {
  const Identity insider = Identity::generate();
  allow_.add(insider.open.transport);
  const std::string victim_id = "node-1";
  PlainClient victim(router_->address(), Mechanism::kCurve, node_, coordinator_.open.transport,
                     victim_id);
  ASSERT_EQ(victim.outcome(), Outcome::kAdmitted);
  ASSERT_TRUE(victim.send({{1}}));
  ASSERT_EQ(next(*router_)->from, node_.open.transport);
  PlainClient thief(router_->address(), Mechanism::kCurve, insider, coordinator_.open.transport,
                    victim_id);
  ASSERT_EQ(thief.outcome(), Outcome::kAdmitted);
  ASSERT_TRUE(thief.send({{2}}));
  for (std::uint8_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(victim.send({{3, i}}));
    const auto inbound = next(*router_);
    ASSERT_TRUE(inbound);
    EXPECT_EQ(inbound->from, node_.open.transport) << "the place of a connected peer is not taken";
  }
}

}  // namespace
}  // namespace freshet
