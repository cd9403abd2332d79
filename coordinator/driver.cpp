#include "coordinator/driver.h"

#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>

#include <charconv>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "coordinator/fleet_page.h"
#include "coordinator/metrics.h"
#include "coordinator/operator_client.h"
#include "crypto/digest.h"
#include "storage/rocksdb_journal.h"

namespace freshet {
namespace {

constexpr int kTurnMs = 100;
constexpr std::int64_t kRefreshMs = 1000;
constexpr std::int64_t kWatchMs = 1000;
constexpr std::int64_t kAskAuthorityMs = 2000;  // how soon a revocation is known at the latest
constexpr std::int64_t kCertifiedMs = 30'000;   // certificates expire without another word

bool readable(int fd) {
  pollfd poll_fd{fd, POLLIN, 0};
  return ::poll(&poll_fd, 1, 0) > 0;
}

std::string steady_part(Json progress) {
  progress.erase("eta_s");
  return to_text(progress);
}

Result<std::unique_ptr<Journal>> open_rocksdb(const Path& folder) {
  TRY_ASSIGN(auto journal, RocksdbJournal::open(folder));
  return std::unique_ptr<Journal>(std::move(journal));
}

}  // namespace

Coordinator::Coordinator(CoordinatorOptions options, UniqueFd lock, KeyRing keys)
    : options_(std::move(options)), lock_(std::move(lock)), keys_(std::move(keys)) {}

Result<std::unique_ptr<Coordinator>> Coordinator::open(CoordinatorOptions options) {
  const Path folder = options.folder;
  if (!options.open_journal) options.open_journal = open_rocksdb;
  TRY(make_folders(folder, 0700));
  TRY_ASSIGN(UniqueFd lock, lock_folder(folder));
  TRY_ASSIGN(KeyRing keys, load_or_make_keys(folder));
  std::unique_ptr<Coordinator> made(
      new Coordinator(std::move(options), std::move(lock), std::move(keys)));
  TRY_ASSIGN(AuditLog audit, AuditLog::open(folder));
  made->audit_.emplace(std::move(audit));
  TRY_ASSIGN(made->allowed_, AllowedNodes::open(folder / "nodes.allowed"));
  TRY_ASSIGN(made->member_,
             membership::Member::open(folder, made->keys_.identity, kAskAuthorityMs));
  if (made->member_ && !made->member_->directory())
    return fail(Code::kBadInput, folder.string() +
                                     " joined its fleet as a node; a coordinator has a --dir of "
                                     "its own and joins with `freshet coordinator join TOKEN`");
  made->look_after_members(made->clock_.now());
  TRY_ASSIGN(made->router_,
             ZeromqRouter::bind(made->options_.listen, made->keys_.identity,
                                [allowed = made->allowed_](const TransportPublic& key) {
                                  return allowed->admits(key);
                                }));
  made->peers_ = std::make_unique<Peers>(*made->router_, made->keys_.identity, *made->allowed_);
  TRY_ASSIGN(OperatorServer operators, OperatorServer::listen(folder / "operator.sock"));
  made->operators_ = std::make_unique<OperatorServer>(std::move(operators));
  made->began_at_ = made->clock_.now();
  if (!made->options_.metrics.empty()) {
    TRY_ASSIGN(MetricsPage metrics, MetricsPage::listen(made->options_.metrics));
    made->metrics_.emplace(std::move(metrics));
  }
  const CampaignQueue::Shared shared{*made->peers_, made->keys_.identity,
                                     made->options_.open_journal, made->options_.trainer,
                                     made->member_.get(), &*made->audit_};
  TRY_ASSIGN(made->campaigns_, CampaignQueue::open(shared, folder, made->clock_.now()));
  TRY(write_file_durably(folder / "endpoint", as_bytes(made->address() + "\n")));
  TRY(made->audit_->add("coordinator", "started", {{"endpoint", made->address()}}));
  log::info("listening on {}, {} nodes allowed", made->address(), made->allowed_->list()->size());
  return made;
}

Result<void> Coordinator::run(int stop) {
  while (!readable(stop)) TRY(turn(stop));
  return audit_->add("coordinator", "stopped", Json::object());
}

Result<void> Coordinator::turn(int stop) {
  std::vector<int> also = operators_->descriptors();
  also.push_back(stop);
  for (int fd : campaigns_->descriptors()) also.push_back(fd);
  if (metrics_)
    for (int fd : metrics_->descriptors()) also.push_back(fd);
  TRY(router_->wait(also, kTurnMs));
  const Instant now = clock_.now();
  if (now - refreshed_at_ >= kRefreshMs) {
    refreshed_at_ = now;
    if (auto refreshed = allowed_->refresh(); !refreshed)
      log::error("{}; the list before stays in use", refreshed.error().what);
  }
  look_after_members(now);
  TRY(take_frames(now));
  for (const OperatorServer::Request& request : operators_->poll()) {
    auto answered = answer(request, now);
    operators_->send(request.from, answered ? *answered : error_document(answered.error()));
    if (!watchers_.contains(request.from)) operators_->finish(request.from);
  }
  TRY(campaigns_->tick(now));
  peers_->flush(now);
  tell_watchers(now);
  if (metrics_) metrics_->serve([&] { return metrics(now); }, now);
  return {};
}

std::string Coordinator::metrics(Instant now) const {
  CoordinatorFigures figures;
  for (const CampaignRecord& record : campaigns_->records())
    figures.campaigns.push_back(progress(record, now));
  figures.nodes_allowed = allowed_->list()->size();
  figures.bytes_up = peers_->bytes_up();
  figures.bytes_down = peers_->bytes_down();
  figures.uptime_s = static_cast<double>(now - began_at_) / 1000;
  return metrics_text(figures);
}

// Who may connect follows from the directory and the revocation list, at once where either changed.
void Coordinator::look_after_members(Instant now) {
  if (!member_) return;
  member_->tick(now);
  if (member_->changes() == member_changes_ && now - certified_at_ < kCertifiedMs) return;
  member_changes_ = member_->changes();
  certified_at_ = now;
  std::vector<AllowedNode> nodes;
  for (const auto& [certificate, bytes] : member_->directory()->standing(wall_clock_s()))
    nodes.push_back({fmt::format("{:016x}", certificate.id().value), certificate.keys});
  const Json members{{"certified", nodes.size()},
                     {"shut_out", member_->directory()->revoked().size()}};
  allowed_->certify(std::move(nodes), member_->directory()->revoked());
  if (std::exchange(members_, to_text(members)) == members_) return;
  if (auto added = audit_->add("authority", "members", members); !added)
    log::error("{}; who belongs to the fleet changed", added.error().what);
}

Result<void> Coordinator::take_frames(Instant now) {
  for (int taken = 0; taken < limits::kFramesPerTurn; ++taken) {
    TRY_ASSIGN(std::optional<Peers::Received> received, peers_->receive(now));
    if (!received) break;
    TRY(campaigns_->receive(received->node, received->message, now));
  }
  return {};
}

Result<CampaignId> Coordinator::campaign_of(const Json& request) const {
  TRY_ASSIGN(std::string name, json_get_or<std::string>(request, "campaign", "", "request"));
  if (!name.empty()) {
    TRY_ASSIGN(CampaignId id, campaign_id_from(name));
    if (campaigns_->find(id) == nullptr)
      return fail(Code::kBadInput, "no campaign " + name + "; see `freshet campaign ls`");
    return id;
  }
  const CampaignRecord* latest = campaigns_->latest();
  if (latest == nullptr)
    return fail(Code::kBadInput,
                "no campaign yet; submit one with `freshet campaign submit FILE.toml`");
  return latest->id;
}

// What an operator wants changed is written down before it is: who asked, and for what.
Result<void> Coordinator::audit(const OperatorServer::Request& asked, const Json& request) {
  Json about = {{"user", asked.user}};
  for (const char* key : {"do", "campaign", "source", "version"})
    if (request.contains(key)) about[key] = to_text(request[key]).substr(0, kAuditWhyBytesMax);
  if (const std::string toml = request.value("toml", ""); !toml.empty())
    about["file"] = to_hex(digest_of("freshet/campaign-file/v1", as_bytes(toml)));
  const passwd* known = ::getpwuid(asked.user);
  return audit_->add(known == nullptr ? fmt::format("user {}", asked.user)
                                      : fmt::format("user {}", known->pw_name),
                     "asked", about);
}

Result<Json> Coordinator::answer(const OperatorServer::Request& asked, Instant now) {
  TRY_ASSIGN(Json request, parse_json(asked.line, "request"));
  TRY_ASSIGN(std::string what, json_get<std::string>(request, "do", "request"));
  if (what == "submit" || what == "stop" || what == "rollback") TRY(audit(asked, request));
  if (what == "submit") {
    TRY_ASSIGN(std::string toml, json_get<std::string>(request, "toml", "request"));
    TRY_ASSIGN(std::string source, json_get<std::string>(request, "source", "request"));
    TRY_ASSIGN(std::string base, json_get<std::string>(request, "base", "request"));
    TRY_ASSIGN(CampaignId id, campaigns_->submit(toml, source, base));
    return to_json(*campaigns_->find(id));
  }
  if (what == "ls") {
    Json all = Json::array();
    for (const CampaignRecord& record : campaigns_->records()) all.push_back(progress(record, now));
    return Json{{"campaigns", std::move(all)}};
  }
  if (what == "fleet") return fleet(request, now);
  TRY_ASSIGN(CampaignId id, campaign_of(request));
  if (what == "stop") TRY(campaigns_->stop(id, now));
  if (what == "rollback") {
    TRY_ASSIGN(const auto to, json_get<std::uint64_t>(request, "version", "request"));
    TRY(campaigns_->roll_back(id, VersionId{to}, now));
  }
  const CampaignRecord& record = *campaigns_->find(id);
  if (what == "show") {
    Json shown = to_json(record);
    shown.update(progress(record, now));
    shown.update(campaigns_->versions(record));
    return shown;
  }
  if (what != "watch" && what != "stop" && what != "rollback")
    return fail(Code::kBadInput, "unknown request \"" + what + "\"");
  if (what == "watch" && !has_ended(record.state))
    watchers_[asked.from] = Watcher{id, steady_part(campaigns_->progress(record, now)), 0, now};
  return progress(record, now);
}

Result<Json> Coordinator::fleet(const Json& request, Instant now) const {
  FleetQuestion question;
  TRY_ASSIGN(question.node, json_get_or<std::string>(request, "node", "", "request"));
  TRY_ASSIGN(question.cohort, json_get_or<bool>(request, "cohort", false, "request"));
  TRY_ASSIGN(const std::string after, json_get_or<std::string>(request, "after", "", "request"));
  if (!after.empty()) {
    const auto [end, error] =
        std::from_chars(after.data(), after.data() + after.size(), question.after.value, 16);
    if (error != std::errc() || end != after.data() + after.size())
      return fail(Code::kBadInput, "\"" + after + "\" is no node's id");
  }
  return fleet_page(*allowed_->list(), campaigns_->under_way(), question, now);
}

Json Coordinator::progress(const CampaignRecord& record, Instant now) const {
  Json json = campaigns_->progress(record, now);
  json["bytes_up"] = peers_->bytes_up();
  json["bytes_down"] = peers_->bytes_down();
  return json;
}

// A line for every change; bytes and the time left change all the time and come along at most once
// a second.
void Coordinator::tell_watchers(Instant now) {
  for (auto at = watchers_.begin(); at != watchers_.end();) {
    auto& [to, watcher] = *at;
    const CampaignRecord* record = campaigns_->find(watcher.campaign);
    if (!operators_->is_here(to)) {
      at = watchers_.erase(at);
      continue;
    }
    const std::string line = steady_part(campaigns_->progress(*record, now));
    const std::uint64_t bytes = peers_->bytes_up() + peers_->bytes_down();
    if (line != watcher.last || (bytes != watcher.bytes && now - watcher.at >= kWatchMs)) {
      watcher = {watcher.campaign, line, bytes, now};
      operators_->send(to, progress(*record, now));
    }
    if (has_ended(record->state)) operators_->finish(to);
    at = has_ended(record->state) ? watchers_.erase(at) : std::next(at);
  }
}

}  // namespace freshet
