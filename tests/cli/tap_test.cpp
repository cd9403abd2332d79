#include "cli/demo/tap.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "base/check.h"

namespace freshet::demo {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class TapTest : public ::testing::Test {
 protected:
  TapTest() {
    char name[] = "/tmp/freshet-tap-XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    dir_ = name;
    listener_ = UniqueFd(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    CHECK(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 &&
          listen(listener_.get(), 8) == 0);
    CHECK(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    endpoint_ = "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~TapTest() override { std::filesystem::remove_all(dir_); }

  static UniqueFd connect_to(const std::string& endpoint) {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address =
        loopback(static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
    CHECK(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return fd;
  }
  UniqueFd accept_one() { return UniqueFd(accept(listener_.get(), nullptr, nullptr)); }

  Path dir_;
  UniqueFd listener_;
  std::string endpoint_;
};

TEST_F(TapTest, RelaysBothWaysAndRecordsWhatTheNodeSent) {
  std::string sent(3'000'000, 'u'), answer(2'000'000, 'd');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 31 >> 3);
  {
    auto tap = Tap::open(endpoint_ + "\n", 2, dir_ / "wire").value();
    UniqueFd node = connect_to(tap->endpoint(1)), coordinator = accept_one();
    std::thread writer([&] {
      CHECK(write_all(node.get(), as_bytes(sent), "node"));
      shutdown(node.get(), SHUT_WR);
    });
    EXPECT_EQ(read_all(coordinator.get(), "coordinator", 1 << 24).value(), sent);
    writer.join();
    std::thread answerer([&] {
      CHECK(write_all(coordinator.get(), as_bytes(answer), "coordinator"));
      shutdown(coordinator.get(), SHUT_WR);
    });
    EXPECT_EQ(read_all(node.get(), "node", 1 << 24).value(), answer);
    answerer.join();
    EXPECT_EQ(tap->counts(1).up, sent.size());
    EXPECT_EQ(tap->counts(1).down, answer.size());
    EXPECT_EQ(tap->counts(0).up, 0u);
    EXPECT_TRUE(tap->health());
  }
  EXPECT_EQ(read_file(dir_ / "wire/node-2-connection-1.bin", 1 << 24).value(), sent);
}

TEST_F(TapTest, EveryConnectionHasItsOwnRecording) {
  {
    auto tap = Tap::open(endpoint_, 2, dir_ / "wire").value();
    for (std::size_t node : {0, 1, 0}) {
      UniqueFd near = connect_to(tap->endpoint(node)), far = accept_one();
      ASSERT_TRUE(write_all(near.get(), as_bytes("hello"), "node"));
      shutdown(near.get(), SHUT_WR);
      EXPECT_EQ(read_all(far.get(), "coordinator", 100).value(), "hello");
    }
  }
  for (const char* name :
       {"node-1-connection-1.bin", "node-2-connection-2.bin", "node-1-connection-3.bin"})
    EXPECT_EQ(read_file(dir_ / "wire" / name, 100).value(), "hello") << name;
}

TEST_F(TapTest, RefusesAnAddressItDoesNotKnow) {
  for (const char* wrong : {"", "tcp://127.0.0.1:", "tcp://127.0.0.1:x", "tcp://127.0.0.1:99999",
                            "ipc://socket", "tcp://10.0.0.1:5"})
    EXPECT_EQ(Tap::open(wrong, 1, dir_ / "wire").error().code, Code::kBadInput) << wrong;
}

}  // namespace
}  // namespace freshet::demo
