// An authority, a coordinator and nodes as the programs that people type, over real sockets: join,
// revoke, rotate, and everything that must be refused.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <set>

#include "base/clock.h"
#include "base/json.h"
#include "crypto/key_file.h"
#include "membership/files.h"
#include "membership/join.h"
#include "membership/trust_store.h"
#include "tests/integration/programs.h"
#include "tests/temp_folder.h"
#include "transport/zeromq_dealer.h"

namespace freshet {
namespace {

constexpr int kPatienceMs = 30'000;

struct AuthorityRuns : testing::Test {
  void SetUp() override {
    ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);  // the programs forbid that anyone looks inside
    ASSERT_TRUE(write_file_durably(temp / "phrase", as_bytes("correct horse battery\n"), 0600));
    const Ran made = run_program(
        "freshet-authority",
        {"init", "--dir", at("a"), "--root", at("root.key"), "--passphrase-file", at("phrase")});
    ASSERT_EQ(made.code, 0) << made.out;
    serve();
  }
  void serve() {
    authority.reset();
    authority = std::make_unique<Daemon>(
        "freshet-authority", std::vector<std::string>{"serve", "--dir", at("a"), "--listen",
                                                      "tcp://127.0.0.1:0", "--json"});
    address = Json::parse(authority->line())["endpoint"];
  }
  std::string at(const std::string& name) const { return (temp / name).string(); }
  Ran ask(const std::string& verb, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {verb, "--dir", at("a")});
    return run_program("freshet-authority", arguments);
  }
  std::string invite(std::vector<std::string> more = {}, const std::string& coordinator_at = {}) {
    more.insert(more.end(), {"--at", address});
    more.insert(more.end(), {"--coordinator-at",
                             coordinator_at.empty() ? "tcp://127.0.0.1:1" : coordinator_at});
    const Ran ran = ask("invite", more);
    EXPECT_EQ(ran.code, 0) << ran.out;
    return ran.out.substr(0, ran.out.find('\n'));
  }
  Ran join(const std::string& folder, const std::string& token,
           const std::string& program = "freshet-node") const {
    return run_program(program, {"join", token, "--dir", at(folder), "--wait", "0"});
  }
  std::string content(const std::string& name) const {
    return read_file(temp / name, 1 << 20).value_or("");
  }

  TempFolder temp;
  std::unique_ptr<Daemon> authority;
  std::string address;
};

// What the coordinator answers to a frame of nonsense from this node: that it is nonsense, or
// nothing at all to somebody who may not speak.
bool is_heard(ZeromqDealer& line, const TransportPublic& coordinator, int patience_ms) {
  const SystemClock clock;
  const Instant until = clock.now() + patience_ms;
  while (clock.now() < until) {
    (void)line.send(coordinator, as_bytes("nonsense"));
    if (!line.wait({}, 100)) return false;
    const auto inbound = line.receive();
    if (inbound && *inbound) return true;
  }
  return false;
}

TEST_F(AuthorityRuns, ANodeJoinsIsHeardByTheCoordinatorAndIsCutOffWhenItIsRevoked) {
  ASSERT_EQ(join("c", invite({"--coordinator"}), "freshet-coordinator").code, 0);
  Daemon coordinator("freshet-coordinator",
                     {"run", "--dir", at("c"), "--listen", "tcp://127.0.0.1:0", "--json"});
  const std::string endpoint = Json::parse(coordinator.line())["endpoint"];
  const Ran joined = join("n", invite({"--name", "kitchen"}, endpoint));
  ASSERT_EQ(joined.code, 0) << joined.out;
  const auto membership = membership::load_membership(temp / "n").value();
  EXPECT_EQ(membership->coordinator_at, endpoint);
  const auto trust = membership::TrustStore::open(temp / "n", membership->root).value();
  const PublicIdentity hub = check_certificate(*trust->trust(), membership->coordinator,
                                               Role::kCoordinator, wall_clock_s())
                                 ->keys;

  const KeyRing keys = load_or_make_keys(temp / "n").value();
  const auto line = ZeromqDealer::connect(endpoint, keys.identity, hub.transport).value();
  ASSERT_TRUE(is_heard(*line, hub.transport, kPatienceMs));
  const std::string id = fmt::format("{:016x}", keys.identity.open.id().value);
  ASSERT_EQ(ask("revoke", {id}).code, 0);
  // The connection stands, and what comes over it is not heard any more.
  const SystemClock clock;
  const Instant until = clock.now() + kPatienceMs;
  bool heard = true;
  while (heard && clock.now() < until) heard = is_heard(*line, hub.transport, 1500);
  EXPECT_FALSE(heard);
  const auto again = ZeromqDealer::connect(endpoint, keys.identity, hub.transport).value();
  EXPECT_FALSE(is_heard(*again, hub.transport, 1000));
  EXPECT_EQ(coordinator.stop(), 130);
}

TEST_F(AuthorityRuns, ATokenLetsOneMachineInOnce) {
  const std::string token = invite();
  ASSERT_EQ(join("n", token).code, 0);
  const std::string certificate = content("n/certificate");
  EXPECT_EQ(join("n", token).code, 0) << "the same machine may have lost the answer";
  EXPECT_EQ(content("n/certificate"), certificate);
  const Ran second = join("m", token);
  EXPECT_EQ(second.code, 4);
  EXPECT_NE(second.out.find("used by another party"), std::string::npos) << second.out;
  EXPECT_FALSE(std::filesystem::exists(temp / "m" / "membership.json"));
  EXPECT_EQ(join("c", invite(), "freshet-coordinator").code, 4) << "a node's token";
  EXPECT_EQ(join("m", invite({"--coordinator"})).code, 4) << "a coordinator's token";
  EXPECT_EQ(join("m", token.substr(0, 100)).code, 3);
  EXPECT_EQ(join("m", "nonsense").code, 3);
}

TEST_F(AuthorityRuns, AMachineWaitsForApprovalWhereTheInvitationSaysSo) {
  const std::string token = invite({"--approve-first"});
  const Ran waiting = join("n", token);
  EXPECT_EQ(waiting.code, 5) << waiting.out;
  EXPECT_NE(waiting.out.find("not approved"), std::string::npos) << waiting.out;
  EXPECT_EQ(ask("approve", {"0000000000000001"}).code, 3);
  EXPECT_EQ(ask("approve", {"all"}).code, 0);
  EXPECT_EQ(join("n", token).code, 0);
}

TEST_F(AuthorityRuns, GoesOnAfterAKillAndAnswersCommandsWhileItIsDown) {
  const std::string token = invite(), later = invite();
  ASSERT_EQ(join("n", token).code, 0);
  const std::string certificate = content("n/certificate");
  authority->kill();
  const Json list = Json::parse(ask("list", {"--json"}).out);
  ASSERT_EQ(list["parties"].size(), 1u);
  EXPECT_EQ(list["tokens"].size(), 1u);
  ASSERT_EQ(ask("revoke", {list["parties"][0]["device"].get<std::string>()}).code, 0);
  serve();  // another port: the old tokens lead nowhere, but the state is the same
  EXPECT_EQ(Json::parse(ask("list", {"--json"}).out)["parties"][0]["state"], "revoked");
  EXPECT_EQ(join("m", invite()).code, 0);
}

TEST_F(AuthorityRuns, ANodeRotatesItsKeysAndTheIssuerIsReplaced) {
  ASSERT_EQ(join("n", invite()).code, 0);
  const auto before = load_or_make_keys(temp / "n").value().identity.open;
  const Ran rotated = run_program("freshet-node", {"rotate", "--dir", at("n")});
  ASSERT_EQ(rotated.code, 0) << rotated.out;
  EXPECT_NE(rotated.out.find("epoch 2"), std::string::npos) << rotated.out;
  EXPECT_NE(load_or_make_keys(temp / "n")->identity.open, before);
  const Ran issuer = ask("rotate", {"--root", at("root.key"), "--passphrase-file", at("phrase")});
  EXPECT_EQ(issuer.code, 0) << issuer.out;
  EXPECT_EQ(join("m", invite()).code, 0);
  const Json list = Json::parse(ask("list", {"--json"}).out);
  EXPECT_EQ(list["issuers"].size(), 2u);
  EXPECT_EQ(list["parties"].size(), 2u);
  ASSERT_TRUE(write_file_durably(temp / "wrong", as_bytes("another phrase"), 0600));
  EXPECT_EQ(ask("rotate", {"--root", at("root.key"), "--passphrase-file", at("wrong")}).code, 4);
}

TEST_F(AuthorityRuns, SecretsAreNowhereInTheClearAndFilesAreTheOwnersAlone) {
  const std::string text = invite();
  const JoinToken token = join_token_from_text(text).value();
  ASSERT_EQ(join("n", text).code, 0);
  const KeyRing keys = load_or_make_keys(temp / "n").value();
  authority->stop();
  std::set<std::string> secrets{std::string(as_text(token.secret.view())),
                                std::string(as_text(keys.identity.signing.view().first(32))),
                                std::string(as_text(keys.identity.transport.view())),
                                std::string(as_text(keys.identity.sealing.view())), text};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(temp.path())) {
    if (!entry.is_regular_file()) continue;
    const std::string bytes = read_file(entry.path(), 64 << 20).value();
    for (const std::string& secret : secrets)
      EXPECT_EQ(bytes.find(secret), std::string::npos) << entry.path();
    struct stat info {};
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0022, 0u) << entry.path();
    if (entry.path().extension() == ".key") {
      EXPECT_EQ(info.st_mode & 0777, 0600u) << entry.path();
    }
  }
}

TEST_F(AuthorityRuns, AnotherAuthorityCannotTakeItsPlace) {
  const std::string token = invite();
  authority->kill();
  ASSERT_EQ(run_program("freshet-authority",
                        {"init", "--dir", at("b"), "--passphrase-file", at("phrase")})
                .code,
            0);
  const Daemon impostor("freshet-authority", {"serve", "--dir", at("b"), "--listen", address});
  // Its transport key is not the one in the token: there is no answer at all.
  const auto read = join_token_from_text(token);
  const auto joined = membership::join(*read, {.folder = temp / "n", .answer_ms = 1500});
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code, Code::kUnavailable) << joined.error().what;
}

TEST_F(AuthorityRuns, AFolderBelongsToOneFleet) {
  ASSERT_EQ(join("n", invite()).code, 0);
  ASSERT_EQ(run_program("freshet-authority",
                        {"init", "--dir", at("b"), "--passphrase-file", at("phrase")})
                .code,
            0);
  const Ran foreign = run_program("freshet-authority", {"invite", "--dir", at("b"), "--at", address,
                                                        "--coordinator-at", "tcp://127.0.0.1:1"});
  const Ran refused = join("n", foreign.out.substr(0, foreign.out.find('\n')));
  EXPECT_EQ(refused.code, 4);
  EXPECT_NE(refused.out.find("another fleet"), std::string::npos) << refused.out;
}

TEST_F(AuthorityRuns, SaysWhatToDoWhenSomethingIsNotThere) {
  EXPECT_EQ(run_program("freshet-authority", {"list", "--dir", at("none")}).code, 3);
  EXPECT_EQ(
      run_program("freshet-authority", {"init", "--dir", at("x"), "--passphrase-file", at("none")})
          .code,
      3);
  ASSERT_TRUE(write_file_durably(temp / "short", as_bytes("1234567\n"), 0600));
  EXPECT_EQ(
      run_program("freshet-authority", {"init", "--dir", at("x"), "--passphrase-file", at("short")})
          .code,
      4);
  EXPECT_EQ(ask("init", {"--passphrase-file", at("phrase")}).code, 5) << "it is serving";
  EXPECT_EQ(ask("revoke", {"kitchen"}).code, 3);
  EXPECT_EQ(run_program("freshet-authority", {"--help"}).code, 0);
  EXPECT_EQ(run_program("freshet-authority", {"init"}).code, 2);
  EXPECT_EQ(run_program("freshet-node", {"rotate", "--dir", at("n")}).code, 3);
}

}  // namespace
}  // namespace freshet
