#include <fmt/chrono.h>
#include <fmt/core.h>

#include <cstdio>

#include "authority/passphrase.h"
#include "authority/server.h"
#include "base/exit_code.h"
#include "base/flags.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/process_limits.h"
#include "base/stop_signal.h"
#include "crypto/certificates/root_key.h"

namespace freshet::authority {
namespace {

struct Options {
  std::string folder, root, passphrase_file, at, coordinator_at, name, id;
  std::string listen = "tcp://0.0.0.0:7500";
  std::int64_t hours = 24, days = 365, list_hours = 7 * 24, issuer_days = 730;
  bool coordinator = false, approve_first = false, json = false, revoke_old = false;

  Path dir() const { return folder; }
  Path root_file() const { return root.empty() ? dir() / "root.key" : Path(root); }
};

void print(std::string_view line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

std::string date(std::int64_t seconds) {
  return fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

// Where the fleet is, and for how long things are signed: DIR/fleet.json.
Result<Json> read_fleet(const Path& folder) {
  std::error_code error;
  const Path path = folder / "fleet.json";
  if (!std::filesystem::exists(path, error)) return Json::object();
  TRY_ASSIGN(const std::string text, read_file(path, limits::kOperatorLineBytesMax));
  return parse_json(text, path.string());
}

Result<Terms> terms_of(const Path& folder) {
  TRY_ASSIGN(const Json fleet, read_fleet(folder));
  Terms terms;
  TRY_ASSIGN(terms.certificate_s,
             json_get_or<std::int64_t>(fleet, "certificate_s", terms.certificate_s, "fleet.json"));
  TRY_ASSIGN(terms.list_s, json_get_or<std::int64_t>(fleet, "list_s", terms.list_s, "fleet.json"));
  return terms;
}

Result<int> init(const Options& options) {
  const Terms terms{options.days * 86'400, options.list_hours * 3600};
  TRY_ASSIGN(Premises premises, open_premises(options.dir(), terms, true));
  if (premises.office->in_office())
    return fail(Code::kRefused, options.folder + " is an authority already; use another --dir");
  const Path root_file = options.root_file();
  std::error_code error;
  const bool made_before = std::filesystem::exists(root_file, error);
  TRY_ASSIGN(
      const Secret passphrase,
      read_passphrase(options.passphrase_file, "Passphrase of the root key: ", !made_before));
  if (!made_before) TRY(make_root(root_file, passphrase, PassphraseCost::kModerate));
  TRY_ASSIGN(const Identity root, open_root(root_file, passphrase));
  const std::int64_t now_s = wall_clock_s();
  const Json fleet{{"authority_at", options.at},
                   {"coordinator_at", options.coordinator_at},
                   {"certificate_s", terms.certificate_s},
                   {"list_s", terms.list_s}};
  TRY(write_file_durably(options.dir() / "fleet.json", as_bytes(to_text(fleet, 2)), 0600));
  if (!premises.office->registry().root()) TRY(premises.office->found(root.open.signing));
  if (*premises.office->registry().root() != root.open.signing)
    return fail(Code::kRefused, root_file.string() + " is another authority's root");
  TRY_ASSIGN(NewIssuer issuer,
             make_issuer(options.dir(), root, 1, now_s, options.issuer_days * 86'400));
  TRY(premises.office->add_issuer(issuer.certificate, std::move(issuer.identity), false, now_s));
  print(fmt::format("root {}\nroot key {}", to_hex(root_digest(root.open.signing)),
                    root_file.string()));
  print(
      "Move the root key's file to a place without a network; only `freshet authority rotate` "
      "needs it again.");
  return 0;
}

// Answered by the server of the folder, or here while none runs.
Result<Json> ask(const Options& options, const Json& request) {
  TRY_ASSIGN(const Terms terms, terms_of(options.dir()));
  auto premises = open_premises(options.dir(), terms, false);
  if (!premises && premises.error().code == Code::kUnavailable)
    return ask_desk(options.dir(), request);
  if (!premises) return tl::unexpected(premises.error());
  return answer(*premises->office, options.dir(), request, wall_clock_s());
}

Result<int> invite(const Options& options) {
  TRY_ASSIGN(const Json fleet, read_fleet(options.dir()));
  const std::string authority_at =
      options.at.empty() ? fleet.value("authority_at", "") : options.at;
  std::string coordinator_at =
      options.coordinator_at.empty() ? fleet.value("coordinator_at", "") : options.coordinator_at;
  if (authority_at.empty())
    return fail(Code::kBadInput, "say with --at where machines reach the authority");
  if (options.coordinator) coordinator_at.clear();
  if (!options.coordinator && coordinator_at.empty())
    return fail(Code::kBadInput, "say with --coordinator-at where nodes reach the coordinator");
  TRY_ASSIGN(const Json made, ask(options, {{"do", "invite"},
                                            {"coordinator", options.coordinator},
                                            {"label", options.name},
                                            {"valid_s", options.hours * 3600},
                                            {"approve_first", options.approve_first},
                                            {"authority_at", authority_at},
                                            {"coordinator_at", coordinator_at}}));
  if (options.json) {
    print(to_text(made));
  } else {
    print(made.value("token", ""));
  }
  return 0;
}

void print_list(const Json& list) {
  for (const Json& party : list["parties"])
    print(fmt::format("{}  {:<11} {:<8} epoch {}  until {}  {}", party.value("device", ""),
                      party.value("role", ""), party.value("state", ""), party.value("epoch", 0),
                      date(party.value("not_after_s", std::int64_t{0})), party.value("name", "")));
  for (const Json& token : list["tokens"]) {
    const std::string waiting = token.value("waiting", "");
    print(fmt::format(
        "{:<16}  {:<11} {}  {}", waiting.empty() ? "-" : waiting, token.value("role", ""),
        waiting.empty() ? "invited until " + date(token.value("expires_s", std::int64_t{0}))
                        : "waits for approval",
        token.value("name", "")));
  }
  print(fmt::format("revocation list {}, until {}", list.value("list", std::uint64_t{0}),
                    date(list.value("list_expires_s", std::int64_t{0}))));
}

Result<int> show_list(const Options& options) {
  TRY_ASSIGN(const Json list, ask(options, {{"do", "list"}}));
  if (options.json) {
    print(to_text(list));
  } else {
    print_list(list);
  }
  return 0;
}

Result<int> command(const Options& options, const std::string& verb) {
  TRY_ASSIGN(const Json done, ask(options, {{"do", verb}, {"id", options.id}}));
  if (options.json) {
    print(to_text(done));
  } else if (verb == "approve") {
    print(fmt::format("approved {}", done.value("approved", 0)));
  } else {
    print(fmt::format("revoked {} in revocation list {}", done.value("revoked", ""),
                      done.value("list", 0)));
  }
  return 0;
}

Result<int> rotate(const Options& options) {
  TRY_ASSIGN(const Secret passphrase,
             read_passphrase(options.passphrase_file, "Passphrase of the root key: ", false));
  TRY_ASSIGN(const Identity root, open_root(options.root_file(), passphrase));
  TRY_ASSIGN(const Json list, ask(options, {{"do", "list"}}));
  const auto epoch = list["issuers"].back().value("epoch", std::uint32_t{0}) + 1;
  TRY_ASSIGN(const NewIssuer issuer,
             make_issuer(options.dir(), root, epoch, wall_clock_s(), options.issuer_days * 86'400));
  TRY(ask(options, {{"do", "add_issuer"},
                    {"certificate", to_hex(issuer.certificate)},
                    {"revoke_old", options.revoke_old}}));
  print(fmt::format("issuer {} is in office", epoch));
  return 0;
}

Result<int> serve(const Options& options) {
  TRY_ASSIGN(StopSignal stop, StopSignal::watch());
  TRY_ASSIGN(const Terms terms, terms_of(options.dir()));
  TRY_ASSIGN(auto server, Server::open(options.dir(), options.listen, terms));
  TRY(limit_process({limits::kAuthorityOpenFilesMax, limits::kAuthorityMemoryBytesMax}));
  if (options.json) {
    print(to_text(Json{{"endpoint", server->address()}}));
  } else {
    print(fmt::format("endpoint {}", server->address()));
  }
  TRY(server->run(stop.fd()));
  log::info("stopped; start it again with the same --dir and it goes on where it was");
  return static_cast<int>(ExitCode::kInterrupted);
}

Result<int> dispatch(const Command& app, const Options& options) {
  TRY(harden_process());
  const std::string verb = app.typed();
  if (verb == "init") return init(options);
  if (verb == "invite") return invite(options);
  if (verb == "rotate") return rotate(options);
  if (verb == "serve") return serve(options);
  if (verb == "list") return show_list(options);
  return command(options, verb);
}

Command* add_verb(Command& app, Options& options, const char* name, const char* help) {
  Command* verb = app.add_subcommand(name, help);
  verb->add_option("--dir", options.folder, "Folder of the authority: keys, certificates, journal")
      ->required()
      ->type_name("DIR");
  return verb;
}

void add_root(Command* verb, Options& options) {
  verb->add_option("--root", options.root, "File of the root key; default: DIR/root.key");
  verb->add_option("--passphrase-file", options.passphrase_file,
                   "Private file whose first line is the passphrase; default: ask the terminal");
  verb->add_option("--issuer-days", options.issuer_days, "How long the issuer is good for")
      ->range(1, 3650)
      ->show_default();
}

void add_terms(Command* verb, Options& options) {
  verb->add_option("--days", options.days, "How long certificates are good for")
      ->range(1, 3650)
      ->show_default();
  verb->add_option("--list-hours", options.list_hours,
                   "How long a revocation list is good for: so long a fleet works without the "
                   "authority")
      ->range(1, 24 * 365)
      ->show_default();
}

void add_verbs(Command& app, Options& options) {
  Command* init_verb = add_verb(app, options, "init", "Make the root key and the first issuer");
  add_root(init_verb, options);
  Command* invite_verb =
      add_verb(app, options, "invite", "Print a join token: one line, for one machine, once");
  invite_verb->add_option("--name", options.name, "What to call the machine in lists and logs");
  invite_verb->add_flag("--coordinator", options.coordinator, "For a coordinator, not a node");
  invite_verb->add_option("--hours", options.hours, "How long the token is good for")
      ->range(1, 24)
      ->show_default();
  invite_verb->add_flag("--approve-first", options.approve_first,
                        "Whoever joins waits for `freshet authority approve`");
  for (Command* verb : {init_verb, invite_verb}) {
    verb->add_option("--at", options.at, "Where machines reach the authority: tcp://HOST:PORT");
    verb->add_option("--coordinator-at", options.coordinator_at,
                     "Where nodes reach the coordinator: tcp://HOST:PORT");
  }
  Command* approve_verb = add_verb(app, options, "approve", "Let a machine in that waits");
  Command* revoke_verb =
      add_verb(app, options, "revoke", "Shut a machine out: now, and whatever it holds");
  for (Command* verb : {approve_verb, revoke_verb})
    verb->add_option("ID", options.id, "As `freshet authority list` shows it")->required();
  Command* rotate_verb =
      add_verb(app, options, "rotate", "Put the next issuer into office; needs the root key");
  add_root(rotate_verb, options);
  rotate_verb->add_flag("--revoke-old", options.revoke_old,
                        "What the issuers before it signed is believed no more");
  Command* serve_verb = add_verb(app, options, "serve", "Answer machines until SIGINT or SIGTERM");
  serve_verb->add_option("--listen", options.listen, "Address; port 0 takes any free one")
      ->show_default();
  Command* list_verb =
      add_verb(app, options, "list", "Who has a certificate, who is invited, who waits");
  for (Command* verb : {invite_verb, approve_verb, revoke_verb, serve_verb, list_verb})
    verb->add_flag("--json", options.json, "One JSON object");
  add_terms(init_verb, options);
}

int main_of(int argc, char** argv) {
  Options options;
  Command app("Says who belongs to a fleet: gives certificates, and takes them back.",
              "freshet authority");
  app.require_subcommand();
  add_verbs(app, options);
  if (const auto over = app.parse(argc, argv)) return *over;
  log::set_name("authority");
  auto code = dispatch(app, options);
  return code ? *code : report(code.error());
}

}  // namespace
}  // namespace freshet::authority

int main(int argc, char** argv) {
  try {
    return freshet::authority::main_of(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "freshet: a bug of ours: %s\n", error.what());
    return static_cast<int>(freshet::ExitCode::kBug);
  }
}
