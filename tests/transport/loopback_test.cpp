#include "tests/transport/loopback.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"

namespace freshet {
namespace {

class Loopback : public testing::Test {
 protected:
  void SetUp() override {
    allow_.add(node_.open.transport);
    auto bound = ZeromqRouter::bind(kAnyPort, coordinator_, allow_.admits());
    ASSERT_TRUE(bound) << bound.error().what;
    router_ = std::move(*bound);
  }

  std::unique_ptr<ZeromqDealer> dealer(const Identity& identity) {
    return ZeromqDealer::connect(router_->address(), identity, coordinator_.open.transport).value();
  }
  const TransportPublic& to_coordinator() const { return coordinator_.open.transport; }

  Identity coordinator_ = Identity::generate(), node_ = Identity::generate();
  AllowList allow_;
  std::unique_ptr<ZeromqRouter> router_;
};

TEST_F(Loopback, CarriesFramesOfEverySizeBothWays) {
  const auto node = dealer(node_);
  for (std::size_t size :
       {std::size_t{0}, std::size_t{1}, limits::kChunkBytes, limits::kFrameBytesMax}) {
    Bytes frame(size);
    random_bytes(frame);
    ASSERT_TRUE(deliver(*node, to_coordinator(), frame));
    const auto inbound = next(*router_);
    ASSERT_TRUE(inbound);
    EXPECT_EQ(inbound->from, node_.open.transport);
    EXPECT_EQ(inbound->frame, frame);
    ASSERT_TRUE(deliver(*router_, node_.open.transport, frame));
    const auto echo = next(*node);
    ASSERT_TRUE(echo);
    EXPECT_EQ(echo->from, to_coordinator());
    EXPECT_EQ(echo->frame, frame);
  }
}

TEST_F(Loopback, KeepsTheOrderOfFramesAndTellsPeersApart) {
  const Identity second = Identity::generate();
  allow_.add(second.open.transport);
  const auto a = dealer(node_), b = dealer(second);
  for (std::uint8_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(deliver(*a, to_coordinator(), Bytes{1, i}));
    ASSERT_TRUE(deliver(*b, to_coordinator(), Bytes{2, i}));
    for (int got = 0; got < 2; ++got) {
      const auto inbound = next(*router_);
      ASSERT_TRUE(inbound);
      EXPECT_EQ(inbound->from,
                inbound->frame[0] == 1 ? node_.open.transport : second.open.transport);
      EXPECT_EQ(inbound->frame[1], i);
    }
  }
}

TEST_F(Loopback, RefusesFramesLargerThanAFrameMayBe) {
  const auto node = dealer(node_);
  const Bytes large(limits::kFrameBytesMax + 1);
  EXPECT_EQ(node->send(to_coordinator(), large).error().code, Code::kBadInput);
  EXPECT_EQ(router_->send(node_.open.transport, large).error().code, Code::kBadInput);
}

TEST_F(Loopback, SendToAPeerThatHasNotSpokenIsUnavailable) {
  EXPECT_EQ(router_->send(node_.open.transport, {}).error().code, Code::kUnavailable);
}

// A peer that does not read costs a bounded number of frames, and nobody waits for it.
TEST_F(Loopback, SendNeverBlocksOnAPeerThatDoesNotRead) {
  const auto node = dealer(node_);
  ASSERT_TRUE(deliver(*node, to_coordinator(), Bytes{1}));
  ASSERT_TRUE(next(*router_));
  const Bytes frame(limits::kChunkBytes);
  std::size_t taken = 0;
  Result<void> last;
  // Two queues of kPeerQueueFrames and what two TCP buffers hold.
  while (taken < 4096 && (last = router_->send(node_.open.transport, frame))) ++taken;
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, Code::kUnavailable);
  EXPECT_GE(taken, static_cast<std::size_t>(limits::kPeerQueueFrames));
}

TEST_F(Loopback, NodeSendIsUnavailableWhileNobodyListens) {
  const std::string address = router_->address();
  router_.reset();
  const auto node = ZeromqDealer::connect(address, node_, to_coordinator()).value();
  const auto refused = node->send(to_coordinator(), Bytes{1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_FALSE(node->receive().value());
}

TEST_F(Loopback, NodeFindsACoordinatorThatStartsAgain) {
  const auto node = dealer(node_);
  ASSERT_TRUE(deliver(*node, to_coordinator(), Bytes{1}));
  ASSERT_TRUE(next(*router_));
  const std::string address = router_->address();
  router_.reset();
  ASSERT_TRUE(until({node.get()}, [&] { return !node->send(to_coordinator(), Bytes{2}); }))
      << "the loss is noticed";
  router_ = ZeromqRouter::bind(address, coordinator_, allow_.admits()).value();
  ASSERT_TRUE(deliver(*node, to_coordinator(), Bytes{3}));
  const auto inbound = next(*router_);
  ASSERT_TRUE(inbound);
  EXPECT_EQ(inbound->frame, Bytes{3}) << "nothing old is delivered to the new one";
}

TEST_F(Loopback, CoordinatorAnswersANodeThatStartsAgain) {
  for (std::uint8_t life = 0; life < 3; ++life) {
    const auto node = dealer(node_);
    ASSERT_TRUE(deliver(*node, to_coordinator(), Bytes{life}));
    ASSERT_EQ(next(*router_)->frame, Bytes{life});
    ASSERT_TRUE(deliver(*router_, node_.open.transport, Bytes{life, life}));
    ASSERT_EQ(next(*node)->frame, (Bytes{life, life}));
  }
  ASSERT_TRUE(until({router_.get()}, [&] {
    auto sent = router_->send(node_.open.transport, Bytes{9});
    return !sent && sent.error().code == Code::kUnavailable;
  })) << "the node is gone";
}

TEST_F(Loopback, TwoConnectionsOfOneKeyBothSpeakAndTheLatestIsAnswered) {
  const auto first = dealer(node_), second = dealer(node_);
  ASSERT_TRUE(deliver(*first, to_coordinator(), Bytes{1}));
  ASSERT_EQ(next(*router_)->frame, Bytes{1});
  ASSERT_TRUE(deliver(*second, to_coordinator(), Bytes{2}));
  const auto inbound = next(*router_);
  ASSERT_EQ(inbound->frame, Bytes{2});
  EXPECT_EQ(inbound->from, node_.open.transport);
  ASSERT_TRUE(deliver(*router_, node_.open.transport, Bytes{22}));
  EXPECT_EQ(next(*second)->frame, Bytes{22});
  ASSERT_TRUE(deliver(*first, to_coordinator(), Bytes{3}));
  ASSERT_EQ(next(*router_)->frame, Bytes{3});
  ASSERT_TRUE(deliver(*router_, node_.open.transport, Bytes{33}));
  EXPECT_EQ(next(*first)->frame, Bytes{33});
  EXPECT_FALSE(second->receive().value());
}

TEST_F(Loopback, WaitEndsWhenADescriptorIsReadable) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  const int also[] = {ends[0]};
  const auto node = dealer(node_);
  const SystemClock clock;
  const Instant start = clock.now();
  EXPECT_TRUE(router_->wait(also, kPatienceMs));
  EXPECT_TRUE(node->wait(also, kPatienceMs));
  EXPECT_LT(clock.now() - start, kPatienceMs / 2);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(Loopback, TellsTheRealPortInTheFormItWasGiven) {
  EXPECT_TRUE(router_->address().starts_with("tcp://127.0.0.1:")) << router_->address();
  EXPECT_FALSE(router_->address().ends_with(":0"));
}

TEST_F(Loopback, SaysThatAPortIsInUse) {
  const auto second = ZeromqRouter::bind(router_->address(), coordinator_, allow_.admits());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_NE(second.error().what.find(router_->address()), std::string::npos) << second.error().what;
  EXPECT_NE(second.error().what.find("another port"), std::string::npos) << second.error().what;
}

TEST_F(Loopback, RefusesAddressesThatAreNone) {
  for (const char* address :
       {"", "127.0.0.1:80", "tcp://127.0.0.1", "tcp://:80", "tcp://127.0.0.1:", "tcp://h:65536",
        "tcp://h:8o", "ipc:///x:1", "inproc://x:1"}) {
    const auto bound = ZeromqRouter::bind(address, coordinator_, allow_.admits());
    ASSERT_FALSE(bound) << address;
    EXPECT_EQ(bound.error().code, Code::kBadInput) << bound.error().what;
    EXPECT_FALSE(ZeromqDealer::connect(address, node_, to_coordinator())) << address;
  }
  const auto foreign = ZeromqRouter::bind("tcp://192.0.2.1:7000", coordinator_, allow_.admits());
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, Code::kBadInput);
  EXPECT_NE(foreign.error().what.find("no address of this machine"), std::string::npos)
      << foreign.error().what;
}

TEST_F(Loopback, ListensOnIpv6WhereThereIsOne) {
  auto bound = ZeromqRouter::bind("tcp://[::1]:0", coordinator_, allow_.admits());
  if (!bound) GTEST_SKIP() << bound.error().what;
  const auto node = ZeromqDealer::connect((*bound)->address(), node_, to_coordinator()).value();
  ASSERT_TRUE(deliver(*node, to_coordinator(), Bytes{6}));
  EXPECT_EQ(next(**bound)->frame, Bytes{6});
}

}  // namespace
}  // namespace freshet
