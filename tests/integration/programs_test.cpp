// The programs that people type, by their exit codes (docs/exit-codes.md).

#include "tests/integration/programs.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "base/json.h"

namespace freshet {
namespace {

Ran run(const std::string& program, const std::vector<std::string>& arguments) {
  return run_program(program, arguments);
}

struct Programs : testing::Test {
  Programs() {
    std::string name = (std::filesystem::temp_directory_path() / "freshet-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    ::setenv("ASAN_OPTIONS", "detect_leaks=0",
             1);  // the programs forbid that anyone looks into them
  }
  ~Programs() override { std::filesystem::remove_all(folder); }
  std::string at(const std::string& name) const { return (folder / name).string(); }
  std::string identity_of(const std::string& program, const std::string& name) const {
    const std::string line = run(program, {"init", "--dir", at(name)}).out;
    return line.substr(0, line.find('\n'));
  }
  Path folder;
};

TEST_F(Programs, RefuseUnknownFlagsWithAHintAndAnswerHelp) {
  for (const char* program : {"freshet-coordinator", "freshet-node"}) {
    EXPECT_EQ(run(program, {}).code, 2) << program;
    const Ran unknown = run(program, {"init", "--dir", at("x"), "--bogus"});
    EXPECT_EQ(unknown.code, 2) << program;
    EXPECT_NE(unknown.out.find("--help"), std::string::npos) << unknown.out;
    EXPECT_EQ(run(program, {"run", "--dir", at("x"), "--threads", "many"}).code, 2) << program;
    EXPECT_EQ(run(program, {"--help"}).code, 0) << program;
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
}

TEST_F(Programs, MakeKeysOnceAndLetANodeInOnce) {
  const std::string coordinator = identity_of("freshet-coordinator", "c");
  EXPECT_EQ(coordinator.rfind("freshet-id-1:", 0), 0u) << coordinator;
  EXPECT_EQ(identity_of("freshet-coordinator", "c"), coordinator);
  const std::string node = identity_of("freshet-node", "n");
  EXPECT_NE(node, coordinator);
  EXPECT_EQ(run("freshet-coordinator", {"allow", "--dir", at("c"), "kitchen", node}).code, 0);
  EXPECT_EQ(run("freshet-coordinator", {"allow", "--dir", at("c"), "attic", node}).code, 4);
  EXPECT_EQ(run("freshet-coordinator", {"allow", "--dir", at("c"), "attic", node + "0"}).code, 3);
  EXPECT_EQ(read_file(folder / "c" / "nodes.allowed", 1000).value(), "kitchen " + node + "\n");
}

TEST_F(Programs, ShowFiguresWhereTheyAreAskedTo) {
  Daemon coordinator("freshet-coordinator", {"run", "--dir", at("c"), "--listen", "tcp://127.0.0.1:0",
                                             "--metrics", "127.0.0.1:0", "--json"});
  const Json said = parse_json(coordinator.line(), "its first line").value();
  const std::string where = said.value("metrics", "");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(where.substr(where.rfind(':') + 1))));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const std::string request = "GET /metrics HTTP/1.1\r\n\r\n";
  ASSERT_EQ(::send(fd.get(), request.data(), request.size(), 0), std::ssize(request));
  std::string page;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0;)
    page.append(buffer, static_cast<std::size_t>(got));
  EXPECT_NE(page.find("\nfreshet_nodes_allowed 0\n"), std::string::npos) << page;
  EXPECT_NE(page.find("\nprocess_resident_memory_bytes "), std::string::npos) << page;
  EXPECT_EQ(coordinator.stop(), 130);
}

TEST_F(Programs, SayWhatToDoWhenSomethingIsNotThere) {
  const std::string coordinator = identity_of("freshet-coordinator", "c");
  const Ran ls = run("freshet-coordinator", {"campaign", "ls", "--dir", at("c")});
  EXPECT_EQ(ls.code, 5);
  EXPECT_NE(ls.out.find("freshet coordinator run"), std::string::npos) << ls.out;
  const Ran submit =
      run("freshet-coordinator", {"campaign", "submit", at("none.toml"), "--dir", at("c")});
  EXPECT_EQ(submit.code, 3) << submit.out;
  EXPECT_EQ(run("freshet-node", {"status", "--dir", at("n")}).code, 3);
  const std::vector<std::string> node_run{"run",
                                          "--dir",
                                          at("n"),
                                          "--data",
                                          at("d"),
                                          "--model",
                                          at("m"),
                                          "--coordinator",
                                          "tcp://127.0.0.1:1",
                                          "--coordinator-id"};
  auto with_id = [&node_run](const std::string& id) {
    std::vector<std::string> all = node_run;
    all.push_back(id);
    return all;
  };
  EXPECT_EQ(run("freshet-node", with_id("nonsense")).code, 3);
  const Ran no_model = run("freshet-node", with_id(coordinator));
  EXPECT_EQ(no_model.code, 3);
  EXPECT_NE(no_model.out.find("config.json"), std::string::npos) << no_model.out;
}

TEST_F(Programs, PrintAPolicyThatTheyTakeAndRefuseASlipByItsLine) {
  const Ran defaults = run("freshet-node", {"policy", "--dir", at("n")});
  EXPECT_EQ(defaults.code, 0);
  EXPECT_NE(defaults.out.find("modes = [\"masked\"]"), std::string::npos) << defaults.out;
  const Path file = folder / "policy.toml";
  ASSERT_TRUE(write_file_durably(file, as_bytes(defaults.out)));
  EXPECT_EQ(run("freshet-node", {"policy", "--dir", at("n"), "--policy", file}).out, defaults.out);
  ASSERT_TRUE(write_file_durably(file, as_bytes("[cohort]\nhonest_mim = 4\n")));
  const Ran slip = run("freshet-node", {"policy", "--dir", at("n"), "--policy", file});
  EXPECT_EQ(slip.code, 3);
  EXPECT_NE(slip.out.find("policy.toml:2: unknown key \"honest_mim\""), std::string::npos)
      << slip.out;
  EXPECT_NE(slip.out.find("honest_min"), std::string::npos) << slip.out;
}

TEST_F(Programs, SayThatNothingLeftYetAndMakeNoKeysOfIt) {
  const Ran payload = run("freshet-node", {"payload", "--dir", at("n")});
  EXPECT_EQ(payload.code, 3);
  EXPECT_NE(payload.out.find("no masked round"), std::string::npos) << payload.out;
  EXPECT_FALSE(std::filesystem::exists(folder / "n"));
}

TEST_F(Programs, RefuseAKeyFileThatOthersCanRead) {
  identity_of("freshet-node", "n");
  std::filesystem::permissions(folder / "n" / "identity.key", std::filesystem::perms(0644));
  EXPECT_EQ(run("freshet-node", {"init", "--dir", at("n")}).code, 4);
}

}  // namespace
}  // namespace freshet
