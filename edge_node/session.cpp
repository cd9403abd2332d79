#include "edge_node/session.h"

#include <algorithm>

#include "base/limits.h"

namespace freshet::session {
namespace {

constexpr std::int64_t kIdleHeartbeatMs = 10'000;  // of a node that has nothing to do
static_assert(2 * kIdleHeartbeatMs <= limits::kSilenceMs, "one lost word is no silence");

struct Machine {
  Session s;
  std::vector<Effect> effects;
  bool accepted = false;

  template <class Phase>
  void enter(Phase phase) {
    s.phase = std::move(phase);
    accepted = true;
  }
  void emit(Effect effect) {
    effects.push_back(std::move(effect));
    accepted = true;
  }
};

void retry_later(Machine& m, Instant now) {
  std::int64_t wait = limits::kRetryMs << std::min<std::uint32_t>(m.s.failures, 16);
  m.s.retry_at = now + std::min(wait, limits::kRetryMsMax);
}

void made_progress(Machine& m, Instant now) {
  m.s.failures = 0;
  m.s.moved_at = now;
  retry_later(m, now);
}

// Bytes moved: a slow line is not tried again sooner than its next ones can be here.
void bytes_moved(Machine& m, Instant now) {
  const std::int64_t pace = std::clamp<std::int64_t>(now - m.s.moved_at, 0, limits::kRetryMsMax / 2);
  made_progress(m, now);
  m.s.retry_at = now + std::max(limits::kRetryMs, 2 * pace);
}

void failed_again(Machine& m, Instant now) {
  ++m.s.failures;
  retry_later(m, now);
}

void say_where_we_are(Machine& m, Instant now) {
  m.s.heartbeat_at = now + limits::kHeartbeatMs;
  const std::optional<Base> base = base_of(m.s);
  if (std::holds_alternative<Ready>(m.s.phase)) {
    m.emit(SendReady{base->campaign, base->version});
  } else if (base) {
    m.emit(SendHeartbeat{base->campaign, base->version, activity_of(m.s)});
  } else if (const auto* idle = std::get_if<Idle>(&m.s.phase); idle != nullptr && idle->failed) {
    m.emit(SendHeartbeat{idle->failed->campaign, idle->failed->version, Activity::kIdle});
  } else {
    m.s.heartbeat_at = now + kIdleHeartbeatMs;
    m.emit(SendHello{});
  }
}

// ---- entering phases

void start_training(Machine& m, const Base& base, Instant now) {
  m.enter(Training{base, true});
  retry_later(m, now);
  m.emit(StartTraining{base});
}

// Trains anew once the campaign is announced again, which a hello asks for.
void forget(Machine& m, const Contribution& contribution, Instant now) {
  m.emit(DropContribution{contribution.base.campaign, contribution.base.version});
  m.enter(Idle{});
  m.s.sealed.reset();
  m.s.forgot = false;
  m.s.failures = 0;
  m.s.heartbeat_at = now;
}

void get_ready(Machine& m, const Contribution& contribution, Instant now) {
  if (m.s.forgot) return forget(m, contribution, now);
  m.enter(Ready{contribution});
  m.s.failures = 0;
  say_where_we_are(m, now);
}

const Contribution* contribution_of(const Session& s) {
  if (const auto* ready = std::get_if<Ready>(&s.phase)) return &ready->contribution;
  if (const auto* uploading = std::get_if<Uploading>(&s.phase)) return &uploading->contribution;
  if (const auto* waiting = std::get_if<Waiting>(&s.phase)) return &waiting->contribution;
  if (const auto* exchanging = std::get_if<Exchanging>(&s.phase)) return &exchanging->contribution;
  return nullptr;
}

// Leaves whatever was done for the old base: it is past.
void leave_base(Machine& m) {
  if (const Contribution* old = contribution_of(m.s))
    m.emit(DropContribution{old->base.campaign, old->base.version});
  const auto* training = std::get_if<Training>(&m.s.phase);
  if (training != nullptr && training->running) m.emit(StopTraining{training->base.version});
  if (const auto* exchanging = std::get_if<Exchanging>(&m.s.phase))
    m.emit(LeaveExchange{exchanging->sid});
  m.s.sealed.reset();
  m.s.forgot = false;
}

void send_upload(Machine& m, Uploading& uploading) {
  const Upload& upload = *uploading.upload;
  for (const std::uint64_t offset : uploading.window.next(upload.size))
    m.emit(SendUpload{upload.round, upload.blob, upload.size, offset});
}

// ---- one overload for each event, or pair of phase and event, that means something

template <class Phase>
struct In {};  // the phase's type; its data is in the machine, where the handler may replace it

template <class Phase>
Phase& now_in(Machine& m) {
  return std::get<Phase>(m.s.phase);
}

void on(Machine& m, auto, const Connected& event) {
  m.s.connected = true;
  m.s.retry_at = event.now;
  if (auto* uploading = std::get_if<Uploading>(&m.s.phase)) uploading->window.connection_lost();
  m.emit(SendHello{});
  if (base_of(m.s)) say_where_we_are(m, event.now);
}

void on(Machine& m, auto, const Forgot& event) {
  const Contribution* held = contribution_of(m.s);
  if (held == nullptr) return;
  if (std::holds_alternative<Ready>(m.s.phase)) return forget(m, Contribution(*held), event.now);
  m.s.forgot = m.accepted = true;
}

// Another campaign, or a later version of ours, replaces what we do; anything else is old news or a
// contradiction.
void on(Machine& m, auto, const Announced& event) {
  std::optional<Base> at = base_of(m.s);
  if (const auto* idle = std::get_if<Idle>(&m.s.phase)) at = idle->failed;
  if (const auto* done = std::get_if<Done>(&m.s.phase);
      done != nullptr && done->campaign == event.base.campaign)
    return;
  if (at && at->campaign == event.base.campaign && event.base.version <= at->version) return;
  leave_base(m);
  m.enter(Fetching{event.base});
  m.s.failures = 0;
  m.s.moved_at = event.now;
  retry_later(m, event.now);
  m.emit(FetchBlob{event.base.adapter, event.base.adapter_bytes});
}

void on(Machine& m, In<Fetching>, const BlobArrived& event) {
  const Base base = now_in<Fetching>(m).base;
  if (event.blob != base.adapter) return;
  m.s.failures = 0;
  start_training(m, base, event.now);
}

void on(Machine& m, auto, const Trained& event) {
  const auto* training = std::get_if<Training>(&m.s.phase);
  if (training != nullptr && event.contribution.base == training->base)
    return get_ready(m, event.contribution, event.now);
  const Contribution* held = contribution_of(m.s);
  const Base& base = event.contribution.base;
  if (held == nullptr || held->base != base)  // too late: nobody will ask for it
    m.effects.push_back(DropContribution{base.campaign, base.version});
}

void on(Machine& m, In<Training>, const TrainerFailed& event) {
  Training& training = now_in<Training>(m);
  if (event.base != training.base.version || !training.running) return;
  failed_again(m, event.now);
  if (m.s.failures >= limits::kTrainingFailuresMax) return m.enter(Idle{training.base});
  training.running = false;
  m.accepted = true;
}

void answer_invitation(Machine& m, const Contribution& contribution, const Invited& event) {
  Instant deadline = event.now + std::max<std::int64_t>(event.remaining_ms, 0);
  m.s.failures = 0;
  m.s.moved_at = event.now;
  retry_later(m, event.now);
  if (m.s.sealed && m.s.sealed->round == event.round) {
    m.enter(Uploading{contribution, event.round, deadline, m.s.sealed, {}});
    return send_upload(m, now_in<Uploading>(m));
  }
  m.s.sealed.reset();
  m.enter(Uploading{contribution, event.round, deadline, std::nullopt, {}});
  m.emit(SealUpload{contribution, event.round});
}

void on(Machine& m, auto, const Invited& event) {
  const Contribution* held = contribution_of(m.s);
  if (held == nullptr || held->base.campaign != event.campaign) return;
  const Contribution contribution = *held;
  if (contribution.base.version !=
      event.base) {  // an older invitation, or an announcement that we have not seen
    say_where_we_are(m, event.now);
    return;
  }
  if (m.s.sealed && event.round < m.s.sealed->round) return;
  const auto* uploading = std::get_if<Uploading>(&m.s.phase);
  if (uploading != nullptr && event.round <= uploading->round) return;
  const auto* waiting = std::get_if<Waiting>(&m.s.phase);
  if (waiting != nullptr && event.round < waiting->round) return;
  answer_invitation(m, contribution, event);
}

// The driver has admitted it: the round is of this node's policy and the base is not spent.
void on(Machine& m, auto, const MaskedInvited& event) {
  const Contribution* held = contribution_of(m.s);
  if (held == nullptr || held->base.campaign != event.campaign) return;
  const Contribution contribution = *held;
  if (contribution.base.version != event.base) return say_where_we_are(m, event.now);
  if (const auto* exchanging = std::get_if<Exchanging>(&m.s.phase)) {
    if (event.round <= exchanging->round) return;
    m.emit(LeaveExchange{exchanging->sid});
  }
  m.s.failures = 0;
  m.enter(Exchanging{contribution, event.round, event.sid});
  m.emit(JoinExchange{contribution, event.round, event.sid});
}

// After a published round the announcement follows; were it lost, the node says again that it is
// ready.
void on(Machine& m, In<Exchanging>, const ExchangeEnded& event) {
  const Exchanging exchanging = now_in<Exchanging>(m);
  if (event.sid != exchanging.sid) return;
  if (!event.published) return get_ready(m, exchanging.contribution, event.now);
  m.enter(Waiting{exchanging.contribution, exchanging.round, event.now + limits::kHeartbeatMs,
                  std::nullopt});
}

void on(Machine& m, In<Uploading>, const Sealed& event) {
  Uploading& uploading = now_in<Uploading>(m);
  if (uploading.upload || event.upload.round != uploading.round) return;
  uploading.upload = event.upload;
  m.s.sealed = event.upload;
  made_progress(m, event.now);
  send_upload(m, uploading);
}

void on(Machine& m, In<Uploading>, const ChunkAcked& event) {
  Uploading& uploading = now_in<Uploading>(m);
  if (!uploading.upload || event.round != uploading.round || event.blob != uploading.upload->blob)
    return;
  if (event.next_offset > uploading.upload->size) return;
  if (event.next_offset == uploading.upload->size) {
    const Uploading sent = uploading;
    return m.enter(Waiting{sent.contribution, sent.round, sent.deadline, sent.upload});
  }
  if (!uploading.window.take_ack(event.next_offset, event.credit, uploading.upload->size)) return;
  m.accepted = true;
  bytes_moved(m, event.now);
  send_upload(m, uploading);
}

void on(Machine& m, In<Fetching>, const ChunkCame& event) {
  m.accepted = true;
  bytes_moved(m, event.now);
}

// The next version is in the announcement that follows; until then the contribution stays, and is
// dropped with it.
void on(Machine& m, auto, const ReceiptArrived& event) {
  const Contribution* held = contribution_of(m.s);
  if (held == nullptr || held->base.campaign != event.campaign || event.published) return;
  const auto* uploading = std::get_if<Uploading>(&m.s.phase);
  const auto* waiting = std::get_if<Waiting>(&m.s.phase);
  bool ours = (uploading != nullptr && uploading->round == event.round) ||
              (waiting != nullptr && waiting->round == event.round);
  if (ours) get_ready(m, Contribution(*held), event.now);
}

void on(Machine& m, auto, const FinishedArrived& event) {
  const auto* done = std::get_if<Done>(&m.s.phase);
  if (done != nullptr && done->campaign == event.campaign) return;
  const std::optional<Base> base = base_of(m.s);
  if (base && base->campaign != event.campaign) return;
  leave_base(m);
  m.enter(Done{event.campaign, event.version});
}

// This round goes on without us; what comes next, the coordinator says. Expired is no verdict on
// this upload: what is open now has been said already.
void on(Machine& m, In<Uploading>, const RefusedArrived& event) {
  if (event.code == Code::kExpired || event.code == Code::kUnavailable) return;
  const Uploading uploading = now_in<Uploading>(m);
  m.enter(Waiting{uploading.contribution, uploading.round, uploading.deadline, uploading.upload});
}

// ---- time passes: what is under way is tried again

void retry(Machine&, auto, Instant) {}

void retry(Machine& m, In<Fetching>, Instant now) {
  failed_again(m, now);
  const Base& base = now_in<Fetching>(m).base;
  m.emit(FetchBlob{base.adapter, base.adapter_bytes});
}

void retry(Machine& m, In<Training>, Instant now) {
  if (!now_in<Training>(m).running) start_training(m, Base(now_in<Training>(m).base), now);
}

void retry(Machine& m, In<Uploading>, Instant now) {
  failed_again(m, now);
  Uploading& uploading = now_in<Uploading>(m);
  if (uploading.upload) {
    const Upload& upload = *uploading.upload;
    m.emit(SendUpload{upload.round, upload.blob, upload.size,
                      uploading.window.ask_again(upload.size)});
  } else {
    m.emit(SealUpload{uploading.contribution, uploading.round});
  }
}

// A round whose receipt did not come: be there for the next one.
void expire(Machine&, auto, Instant) {}

template <class Phase>
requires requires(Phase p) { p.deadline; }
void expire(Machine& m, In<Phase>, Instant now) {
  const Phase& phase = now_in<Phase>(m);
  if (now - phase.deadline >= limits::kRetryMs) get_ready(m, Contribution(phase.contribution), now);
}

template <class Phase>
void on(Machine& m, In<Phase> in, const Tick& event) {
  if (!m.s.connected) return;
  if (event.now >= m.s.retry_at) retry(m, in, event.now);
  expire(m, in, event.now);
  if (event.now >= m.s.heartbeat_at) say_where_we_are(m, event.now);
}

// When on(Tick) would do something.
bool is_retried(const Phase& phase) {
  const auto* training = std::get_if<Training>(&phase);
  return (training != nullptr && !training->running) || std::holds_alternative<Fetching>(phase) ||
         std::holds_alternative<Uploading>(phase);
}

std::optional<Instant> expiry_of(const Phase& phase) {
  if (const auto* uploading = std::get_if<Uploading>(&phase))
    return uploading->deadline + limits::kRetryMs;
  if (const auto* waiting = std::get_if<Waiting>(&phase))
    return waiting->deadline + limits::kRetryMs;
  return std::nullopt;
}

void on(Machine& m, In<Idle>, const Restarted& event) {
  m.s.sealed = event.sealed;
  m.s.heartbeat_at = event.now + limits::kHeartbeatMs;
  m.accepted = true;
  if (event.contribution) m.enter(Ready{*event.contribution});
}

void on(Machine&, auto, const auto&) {}  // anything else means nothing in this phase

}  // namespace

Step step(Session state, const Event& event) {
  Machine machine{std::move(state), {}, false};
  std::visit([&]<class P>(const P&, const auto& e) { on(machine, In<P>{}, e); }, machine.s.phase,
             event);
  return Step{std::move(machine.s), std::move(machine.effects), machine.accepted};
}

std::optional<Instant> due(const Session& session) {
  if (!session.connected) return std::nullopt;
  Instant first = session.heartbeat_at;
  if (is_retried(session.phase)) first = std::min(first, session.retry_at);
  if (const auto expiry = expiry_of(session.phase)) first = std::min(first, *expiry);
  return first;
}

Activity activity_of(const Session& session) {
  static constexpr Activity kOf[] = {
      Activity::kIdle,      Activity::kFetching,  Activity::kTraining,  Activity::kReady,
      Activity::kUploading, Activity::kUploading, Activity::kUploading, Activity::kIdle};
  static_assert(std::size(kOf) == std::variant_size_v<Phase>);
  return kOf[session.phase.index()];
}

std::optional<Base> base_of(const Session& session) {
  if (const auto* fetching = std::get_if<Fetching>(&session.phase)) return fetching->base;
  if (const auto* training = std::get_if<Training>(&session.phase)) return training->base;
  if (const Contribution* held = contribution_of(session)) return held->base;
  return std::nullopt;
}

}  // namespace freshet::session
