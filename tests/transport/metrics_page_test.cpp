#include "transport/metrics_page.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace freshet {
namespace {

class MetricsPages : public testing::Test {
 protected:
  void SetUp() override {
    auto page = MetricsPage::listen("127.0.0.1:0");
    ASSERT_TRUE(page) << page.error().what;
    page_.emplace(std::move(*page));
  }
  UniqueFd connect() {
    const auto colon = page_->address().rfind(':');
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(std::stoi(page_->address().substr(colon + 1))));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    return fd;
  }
  // Until the page hangs up, or `turns` of serving are over.
  std::string talk(const UniqueFd& fd, const std::string& request, Instant now = {},
                   int turns = 50) {
    EXPECT_EQ(::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::string answer;
    char buffer[4096];
    while (turns-- > 0) {
      page_->serve([] { return std::string("freshet_up 1\n"); }, now);
      const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (got == 0) break;
      if (got > 0) answer.append(buffer, static_cast<std::size_t>(got));
    }
    closed_ = turns >= 0;
    return answer;
  }
  std::optional<MetricsPage> page_;
  bool closed_ = false;
};

TEST_F(MetricsPages, GiveTheNumbersAndHangUp) {
  const std::string answer = talk(connect(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_NE(answer.find("Content-Length: 13\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nfreshet_up 1\n")) << answer;
  EXPECT_TRUE(closed_);
}

TEST_F(MetricsPages, AnswerNothingElse) {
  EXPECT_TRUE(talk(connect(), "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(talk(connect(), "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
}

TEST_F(MetricsPages, HangUpOnWhoSendsTooMuchOrTooSlowly) {
  EXPECT_EQ(talk(connect(), std::string(9000, 'x')), "");
  EXPECT_TRUE(closed_);
  const UniqueFd slow = connect();
  talk(slow, "GET /met", Instant{1000}, 3);
  EXPECT_FALSE(closed_);
  talk(slow, "r", Instant{7000}, 3);
  EXPECT_TRUE(closed_);
}

TEST_F(MetricsPages, SayWhyAnAddressIsNoGood) {
  EXPECT_EQ(MetricsPage::listen("nowhere").error().code, Code::kBadInput);
  EXPECT_EQ(MetricsPage::listen("127.0.0.1:nine").error().code, Code::kBadInput);
  EXPECT_EQ(MetricsPage::listen(page_->address()).error().code, Code::kUnavailable);
}

TEST(MetricsText, WritesTheTextFormat) {
  MetricsText page;
  page.gauge("freshet_nodes", "Nodes.", 3, {{"state", "here"}});
  page.gauge("freshet_nodes", "Nodes.", 1, {{"state", "a\"b"}, {"x", "y"}});
  page.counter("freshet_bytes_total", "Bytes.", 2.5);
  EXPECT_EQ(page.text(),
            "# HELP freshet_nodes Nodes.\n# TYPE freshet_nodes gauge\n"
            "freshet_nodes{state=\"here\"} 3\nfreshet_nodes{state=\"a\\\"b\",x=\"y\"} 1\n"
            "# HELP freshet_bytes_total Bytes.\n# TYPE freshet_bytes_total counter\n"
            "freshet_bytes_total 2.5\n");
}

TEST(MetricsText, KnowsItsProcess) {
  MetricsText page;
  add_process(page);
  for (const char* name :
       {"\nprocess_resident_memory_bytes ", "\nprocess_cpu_seconds_total ", "\nprocess_open_fds "})
    EXPECT_NE(page.text().find(name), std::string::npos) << page.text();
}

}  // namespace
}  // namespace freshet
