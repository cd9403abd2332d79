// Peers that break the rules of the wire lose their own connection and nobody else's.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/rng.h"
#include "tests/transport/loopback.h"

namespace freshet {
namespace {

using Mechanism = PlainClient::Mechanism;

class HostilePeer : public testing::Test {
 protected:
  void SetUp() override {
    allow_.add(node_.open.transport);
    allow_.add(insider_.open.transport);
    router_ = ZeromqRouter::bind(kAnyPort, coordinator_, allow_.admits()).value();
    honest_ = ZeromqDealer::connect(router_->address(), node_, coordinator_.open.transport).value();
    expect_the_honest_node_is_served();
  }
  void expect_the_honest_node_is_served() {
    ASSERT_TRUE(deliver(*honest_, coordinator_.open.transport, Bytes{42}));
    const auto inbound = next(*router_);
    ASSERT_TRUE(inbound);
    EXPECT_EQ(inbound->from, node_.open.transport);
    EXPECT_EQ(inbound->frame, Bytes{42});
    ASSERT_TRUE(deliver(*router_, node_.open.transport, Bytes{43}));
    ASSERT_EQ(next(*honest_)->frame, Bytes{43});
  }
  PlainClient insider() {
    return PlainClient(router_->address(), Mechanism::kCurve, insider_,
                       coordinator_.open.transport);
  }

  Identity coordinator_ = Identity::generate(), node_ = Identity::generate(),
           insider_ = Identity::generate();
  AllowList allow_;
  std::unique_ptr<ZeromqRouter> router_;
  std::unique_ptr<ZeromqDealer> honest_;
};

TEST_F(HostilePeer, LosesItsConnectionForAnOversizedFrame) {
  PlainClient client = insider();
  ASSERT_EQ(client.outcome(), PlainClient::Outcome::kAdmitted);
  ASSERT_TRUE(client.send({Bytes(limits::kFrameBytesMax + 1)}));
  EXPECT_TRUE(client.closed());
  expect_the_honest_node_is_served();
}

TEST_F(HostilePeer, IsNotHeardWhenItSendsSeveralParts) {
  PlainClient client = insider();
  ASSERT_EQ(client.outcome(), PlainClient::Outcome::kAdmitted);
  ASSERT_TRUE(client.send({{1}, {2}}));
  ASSERT_TRUE(client.send({{1}, {2}, {3}, {4}}));
  ASSERT_TRUE(client.send({{5}}));
  const auto inbound = next(*router_);
  ASSERT_TRUE(inbound);
  EXPECT_EQ(inbound->frame, Bytes{5}) << "the first message of one part";
  expect_the_honest_node_is_served();
}

TEST_F(HostilePeer, HarmsNobodyWithGarbageOnThePort) {
  constexpr std::uint64_t kSeed = 20'260'101;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  Rng rng(kSeed);
  const Bytes greeting = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1, 'C', 'U', 'R', 'V', 'E'};
  for (int trial = 0; trial < 30; ++trial) {
    Bytes bytes = trial % 3 == 0 ? greeting : Bytes();
    if (trial % 3 == 0) bytes.resize(64);
    const std::size_t random_from = bytes.size();
    bytes.resize(random_from + 1 + rng.below(trial % 5 == 0 ? 300'000 : 400));
    for (std::size_t i = random_from; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::uint8_t>(rng.next_u32());
    TcpConnection(router_->address()).send(bytes);
  }
  TcpConnection talker(router_->address());
  talker.send(as_bytes("GET / HTTP/1.1\r\nHost: coordinator\r\n\r\n"));
  expect_the_honest_node_is_served();
}

TEST_F(HostilePeer, ThatStallsItsHandshakeIsCutOff) {
  TcpConnection silent(router_->address());
  silent.send(Bytes{0xff});
  EXPECT_TRUE(silent.closed_by_peer());
  expect_the_honest_node_is_served();
}

}  // namespace
}  // namespace freshet
