#include "cli/demo/enrolment.h"

#include <fmt/core.h>

#include "crypto/secret.h"

namespace freshet::demo {
namespace {

constexpr int kAuthorityStartMs = 20'000;
constexpr std::size_t kTogether = 2;

}  // namespace

Result<Enrolment> Enrolment::open(Stage& stage, const Path& folder) {
  Digest passphrase{};
  random_bytes(passphrase);
  TRY(write_file_durably(folder / "root.passphrase", as_bytes(to_hex(passphrase) + "\n"), 0600));
  TRY(stage.ask("authority-init", {"authority", "init", "--dir", "authority", "--root", "root.key",
                                   "--passphrase-file", "root.passphrase"}));
  TRY(stage.start("authority",
                  {"authority", "serve", "--dir", "authority", "--listen", "tcp://127.0.0.1:0"},
                  {}));
  const Path endpoint = folder / "authority" / "endpoint";
  std::string at;
  TRY(stage.wait_until("the authority to listen", kAuthorityStartMs, [&] {
    auto text = read_file(endpoint, 1000);
    if (text && text->find('\n') != std::string::npos) at = trimmed(*text);
    return !at.empty();
  }));
  return Enrolment(stage, at);
}

Result<void> Enrolment::coordinator() {
  TRY_ASSIGN(
      const std::string token,
      stage_->ask("authority-invite", {"authority", "invite", "--dir", "authority", "--coordinator",
                                       "--name", "coordinator", "--at", at_}));
  TRY(stage_->ask("coordinator-join",
                  {"coordinator", "join", trimmed(token), "--dir", "coordinator"}));
  return {};
}

Result<void> Enrolment::nodes(const std::vector<Machine>& machines) {
  std::vector<std::vector<std::string>> invitations, joins;
  for (const Machine& machine : machines)
    invitations.push_back({"authority", "invite", "--dir", "authority", "--name", machine.name,
                           "--at", at_, "--coordinator-at", machine.coordinator_at});
  TRY_ASSIGN(const auto tokens, stage_->ask_all("authority-invite", invitations, kTogether));
  for (std::size_t i = 0; i < machines.size(); ++i)
    joins.push_back({"node", "join", trimmed(tokens[i]), "--dir", "nodes/" + machines[i].name});
  TRY(stage_->ask_all("node-join", joins, kTogether));
  return {};
}

}  // namespace freshet::demo
