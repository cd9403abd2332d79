#include "edge_node/driver.h"

#include <fmt/format.h>
#include <poll.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/process_limits.h"
#include "crypto/keyed_rng.h"
#include "model/files/model_parts.h"
#include "model/text/text_folder.h"

namespace freshet {
namespace {

constexpr std::int64_t kTurnMs = 100, kCalmTurnMs = 1'000, kIdleTurnMs = 30'000;
constexpr std::int64_t kNoAnswerMs = 10'000, kNoAnswerAgainMs = 60'000;
constexpr std::int64_t kStatusMs = 500, kBytesToldMs = 60'000;
constexpr std::uint64_t kBytesWorthTelling = 16 * limits::kKiB;
constexpr double kHeldoutShare = 0.1;
constexpr int kFirstWindow = 128;  // until a campaign says another one
constexpr std::int64_t kAskAuthorityMs = 60'000;
constexpr double kNoLimit = 1e9;  // epsilon of a lifetime, where the policy names none

bool readable(int fd) {
  pollfd poll_fd{fd, POLLIN, 0};
  return ::poll(&poll_fd, 1, 0) > 0;
}

std::string_view name_of(Activity activity) {
  switch (activity) {
    case Activity::kIdle: return "idle";
    case Activity::kFetching: return "fetching";
    case Activity::kTraining: return "training";
    case Activity::kReady: return "ready";
    case Activity::kUploading: return "uploading";
  }
  return "idle";
}

// The same for ever, and known to nobody else.
std::string salt_of(const Secret& storage) {
  KeyedRng rng(storage, "freshet/text/v1", {}, {});
  return fmt::format("{:016x}{:016x}", rng.next_u64(), rng.next_u64());
}

// What a process before this one fetched: asked for again where it is needed.
void drop_adapters(const Path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (digest_from_hex(entry.path().filename().string()))
      std::filesystem::remove(entry.path(), error);
}

}  // namespace

Node::Node(NodeOptions options, UniqueFd lock, KeyRing keys, ModelConfig config, Stores stores)
    : options_(std::move(options)),
      lock_(std::move(lock)),
      keys_(std::move(keys)),
      config_(std::move(config)),
      adapters_(std::move(stores.adapters)),
      contributions_(std::move(stores.contributions)),
      records_(std::move(stores.records)),
      spent_(std::move(stores.spent)),
      ledger_(std::move(stores.ledger)),
      member_(std::move(stores.member)),
      learner_({options_.trainer, options_.model,
                PrivateText({options_.data, options_.folder, options_.policy.data, kHeldoutShare,
                             salt_of(keys_.storage)})}),
      restraint_(options_.policy.training, options_.folder, options_.device_root) {}

Result<Node::Stores> Node::open_stores(const NodeOptions& options, const KeyRing& keys) {
  const Path& folder = options.folder;
  drop_adapters(folder / "adapters");
  TRY_ASSIGN(BlobStore adapters, BlobStore::open(folder / "adapters"));
  TRY_ASSIGN(ContributionStore contributions,
             ContributionStore::open(folder / "contribution", keys.storage));
  TRY_ASSIGN(NodeRecords records, NodeRecords::open(folder, options.name));
  TRY_ASSIGN(SpentBases spent, SpentBases::open(folder / "rounds", keys.storage));
  const Budget budget{options.policy.epsilon_max.value_or(kNoLimit), options.policy.delta};
  TRY_ASSIGN(LedgerFile ledger,
             LedgerFile::open(folder / "privacy.ledger", Ledger::Owner::kNode, budget));
  TRY_ASSIGN(auto member, membership::Member::open(folder, keys.identity, kAskAuthorityMs));
  return Stores{std::move(adapters), std::move(contributions), std::move(records),
                std::move(spent),    std::move(ledger),        std::move(member)};
}

Result<std::unique_ptr<Node>> Node::open(NodeOptions options) {
  const Path folder = options.folder;
  TRY(make_folders(folder, 0700));
  TRY_ASSIGN(UniqueFd lock, lock_folder(folder));
  TRY_ASSIGN(KeyRing keys, load_or_make_keys(folder));
  TRY_ASSIGN(ModelFiles model, open_model_folder(options.model));
  TRY_ASSIGN(ModelConfig config, read_config(model));
  TRY(open_text_folder(options.data));
  if (!options.record.empty()) TRY(make_folders(options.record, 0700));
  if (!options.keep_unmasked) TRY(forget_unmasked(folder / "payload"));
  if (options.name.empty())
    options.name = fmt::format("node-{:08x}", keys.identity.open.id().value >> 32);
  TRY_ASSIGN(Stores stores, open_stores(options, keys));
  TRY_ASSIGN(const PublicIdentity coordinator, pin_coordinator(options, stores.member.get()));
  std::unique_ptr<Node> node(
      new Node(std::move(options), std::move(lock), std::move(keys), config, std::move(stores)));
  if (const Ledger& ledger = node->ledger_.ledger(); !ledger.charges().empty())
    node->epsilon_spent_ = ledger.spent().epsilon_unamplified;
  TRY_ASSIGN(node->model_, model_digest(model));
  if (const auto tokenizer = tokenizer_digest(model)) node->tokenizer_ = *tokenizer;
  TRY(node->connect(coordinator));
  return node;
}

Result<void> Node::connect(const PublicIdentity& coordinator) {
  TRY_ASSIGN(auto dealer,
             ZeromqDealer::connect(options_.coordinator, keys_.identity, coordinator.transport));
  link_.reset();
  dealer_ = std::move(dealer);
  coordinator_ = coordinator;
  link_ = std::make_unique<CoordinatorLink>(*dealer_, keys_.identity,
                                            CoordinatorLink::Options{coordinator, options_.record});
  return {};
}

// Whom the authority certified; a flag may name the same one, and alone where nobody joined.
Result<PublicIdentity> Node::pin_coordinator(NodeOptions& options,
                                             const membership::Member* member) {
  if (options.coordinator.empty() && member != nullptr)
    options.coordinator = member->membership().coordinator_at;
  if (options.coordinator.empty())
    return fail(Code::kBadInput,
                "no coordinator: give --coordinator and --coordinator-id, or join "
                "with: freshet node join TOKEN --dir " +
                    options.folder.string());
  Result<PublicIdentity> certified = fail(Code::kBadInput, "no --coordinator-id is given");
  if (member != nullptr) certified = member->coordinator(wall_clock_s());
  if (!options.coordinator_id) return certified;
  if (certified && !(*certified == *options.coordinator_id))
    return fail(Code::kRefused,
                "--coordinator-id is not the coordinator that this fleet's "
                "authority certified: leave the flag out, or check it");
  return *options.coordinator_id;
}

Result<void> Node::run(int stop) {
  started_at_ = heard_at_ = clock_.now();
  learner_.open(kFirstWindow);
  if (learner_.private_text().forgot()) {  // while no process ran
    TRY(contributions_.remove());
    TRY(learner_.private_text().settle());
  }
  TRY_ASSIGN(ContributionStore::Kept kept, contributions_.kept());
  stored_ = kept.contribution;
  TRY(feed(session::Restarted{kept.contribution, kept.upload, started_at_}, started_at_));
  TRY(feed(session::Connected{started_at_}, started_at_));
  while (!readable(stop)) {
    TRY(turn(stop));
    if (!reported_ || !options_.exit_when_finished) continue;
    write_status(clock_.now() + kStatusMs);
    if (incomplete_)
      return fail(Code::kExpired,
                  fmt::format("campaign \"{}\" ended before its last round", memory_.name));
    return {};
  }
  return {};
}

// How long nothing comes due but by a frame, the trainer or a signal, which end the wait: a node
// with nothing to do sleeps.
int Node::patience_ms(Instant now) const {
  const bool busy = (round_ && !round_settled_) || ending_ ||
                    session::activity_of(session_) == Activity::kUploading;
  if (busy) return kTurnMs;
  const bool asks = link_->waits() || (member_ && member_->asks());
  Instant first = now + (asks ? kCalmTurnMs : kIdleTurnMs);
  if (const auto due = session::due(session_)) first = std::min(first, *due);
  if (const auto due = learner_.due()) first = std::min(first, *due);
  first = std::min(first, restraint_.due());
  if (status_late_) first = std::min(first, status_at_ + kStatusMs);
  return static_cast<int>(std::max<std::int64_t>(first - now, 0));
}

Result<void> Node::turn(int stop) {
  std::vector<int> also = learner_.descriptors();
  also.push_back(stop);
  const int patience = patience_ms(clock_.now());
  if (heap_used_ && patience > kTurnMs) {
    give_back_memory();
    heap_used_ = false;
  }
  TRY(dealer_->wait(also, patience));
  const Instant now = clock_.now();
  TRY(take_messages(now));
  TRY(look_after_text(now));
  look_after_rules(now);
  const bool trainer_was_there = !learner_.descriptors().empty();
  TRY_ASSIGN(std::vector<JobDone> done, learner_.poll(now));
  if (trainer_was_there && learner_.descriptors().empty()) heap_used_ = true;
  for (JobDone& each : done) TRY(job_done(std::move(each), now));
  TRY(feed(session::Tick{now}, now));
  TRY(look_after_trust(now));
  if (round_) {
    TRY(round_->feed(exchange::Tick{now}, now));
    TRY(after_round_event(now));
  }
  TRY(go_on_ending(now));
  link_->flush(now);
  look_after_line(now);
  write_status(now);
  return {};
}

// What was learned of a text that its owner had forgotten, and has not left yet, goes.
Result<void> Node::look_after_text(Instant now) {
  if (!learner_.private_text().forgot()) return {};
  log::info("text was forgotten: what was learned of it and has not left this node is dropped");
  learner_.renew();
  TRY(feed(session::Forgot{now}, now));
  return learner_.private_text().settle();
}

void Node::look_after_rules(Instant now) {
  const bool training = learner_.running() && restraint_.held().hold != Hold::kPause;
  const Restraint::Moment moment{!learner_.idle() || !learner_.text(), training,
                                 link_->bytes_up() + link_->bytes_down()};
  learner_.hold(restraint_.look(moment, now).hold);
}

// A refusal at the handshake looks like silence; so does a coordinator that is down.
void Node::look_after_line(Instant now) {
  if (!heard_ && now - started_at_ >= kNoAnswerMs &&
      (told_at_ == Instant{} || now - told_at_ >= kNoAnswerAgainMs)) {
    told_at_ = now;
    problem_ = fmt::format(
        "no answer from {}: is the coordinator running there? If it is, check --coordinator-id, "
        "and ask its operator for: "
        "freshet coordinator allow --dir DIR {} {}",
        options_.coordinator, records_.name(), to_text(keys_.identity.open));
    log::warning("{}", problem_);
  }
  if (now - heard_at_ < limits::kSilenceMs) return;
  if (heard_)
    log::warning("nothing heard from {} for {} s; trying on", options_.coordinator,
                 limits::kSilenceMs / 1000);
  heard_at_ = now;
  link_->forget_sequence();
  if (auto fed = feed(session::Connected{now}, now); !fed) log::error("{}", fed.error().what);
  if (!round_) return;
  if (auto fed = round_->feed(exchange::Reconnected{now}, now); !fed)
    log::error("{}", fed.error().what);
}

void Node::write_status(Instant now) {
  status_late_ = now - status_at_ < kStatusMs;
  if (status_late_) return;
  status_at_ = now;
  // A heartbeat's bytes alone are not worth a write to the disk.
  const std::uint64_t bytes = link_->bytes_up() + link_->bytes_down();
  const bool minute = now - shown_at_ >= kBytesToldMs;
  if (minute) {
    shown_at_ = now;
    heap_used_ = true;  // what was touched in passing goes back
  }
  if (reported_ || minute || bytes - shown_up_ - shown_down_ >= kBytesWorthTelling)
    shown_up_ = link_->bytes_up(), shown_down_ = link_->bytes_down();
  const std::optional<session::Base> base = session::base_of(session_);
  auto or_null = [](const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
  };
  Json masked = nullptr;
  if (round_)
    masked = {{"round", round_->exchange().terms.round.value},
              {"phase", std::string(exchange::name_of(round_->exchange().phase))},
              {"sid", short_hex(round_->sid())}};
  const HeldBack& held = restraint_.held();
  const Json status = {
      {"name", records_.name()},
      {"id", fmt::format("{:016x}", keys_.identity.open.id().value)},
      {"coordinator", options_.coordinator},
      {"heard", heard_},
      {"campaign", memory_.name},
      {"activity", ending_     ? "finishing"
                   : reported_ ? "finished"
                               : std::string(name_of(session::activity_of(session_)))},
      {"version", base ? Json(base->version.value) : Json(nullptr)},
      {"rounds", memory_.rounds},
      {"contributions", memory_.contributions},
      {"heldout_bpb_before", or_null(memory_.bpb_before)},
      {"heldout_bpb", or_null(memory_.bpb_now)},
      {"train_loss", or_null(memory_.train_loss)},
      {"bytes_up", shown_up_},
      {"bytes_down", shown_down_},
      {"masked_round", masked},
      {"epsilon_spent", or_null(epsilon_spent_)},
      {"held_back", held.hold == Hold::kNone ? Json(nullptr) : Json(held.rule + ": " + held.why)},
      {"text", learner_.text() ? Json{{"train_bytes", learner_.text()->train_bytes},
                                      {"heldout_bytes", learner_.text()->heldout_bytes},
                                      {"personal_masked", learner_.text()->personal},
                                      {"personal_dropped", learner_.text()->dropped}}
                               : Json(nullptr)},
      {"problem", learner_.trouble().empty() ? problem_ : learner_.trouble()}};
  if (auto written = records_.write_status(status); !written)
    log::error("{}", written.error().what);
}

}  // namespace freshet
