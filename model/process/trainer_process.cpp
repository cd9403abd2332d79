#include "model/process/trainer_process.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <utility>

#include "base/limits.h"
#include "model/process/trainer_spawn.h"

namespace freshet {
namespace {

// Which alternative of TrainerReply ends a request: the two variants list them in one order.
std::size_t answer_to(const TrainerRequest& request) { return request.index(); }
static_assert(std::is_same_v<std::variant_alternative_t<0, TrainerReply>, ModelLoaded>);
static_assert(std::is_same_v<std::variant_alternative_t<4, TrainerReply>, Taught>);
static_assert(std::variant_size_v<TrainerRequest> == 6);

std::string ended(int status) {
  if (WIFEXITED(status))
    return "the trainer ended with exit code " + std::to_string(WEXITSTATUS(status));
  std::string text = "the trainer ended by signal " + std::to_string(WTERMSIG(status));
  if (WTERMSIG(status) == SIGKILL) return text + " (out of memory?)";
  const char* name = ::sigabbrev_np(WTERMSIG(status));
  return name == nullptr ? text : text + " (SIG" + name + ")";
}

}  // namespace

struct TrainerProcess::State {
  pid_t pid = -1;
  UniqueFd socket, poll;
  std::deque<TrainerFrame> outgoing;            // frames that the socket had no room for
  std::map<RequestId, std::size_t> unanswered;  // and the reply that each waits for
  std::string stopped_because;                  // by this side, else empty
  bool told = false;                            // of its end

  ~State() {
    stop("");
    reap();
  }

  void stop(std::string why) {
    if (pid < 0) return;
    if (stopped_because.empty()) stopped_because = std::move(why);
    ::kill(pid, SIGKILL);
  }

  // REQUIRES: the process has ended or was killed; then this takes no time.
  std::string reap() {
    if (pid < 0) return "the trainer is over";
    int status = 0;
    pid_t got = 0;
    do got = ::waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    pid = -1;
    return got < 0 ? "the trainer ended" : ended(status);
  }

  void watch(bool writable) const {
    epoll_event event{};
    event.events = EPOLLIN | (writable ? EPOLLOUT : 0u);
    ::epoll_ctl(poll.get(), EPOLL_CTL_MOD, socket.get(), &event);
  }

  // An error here is the trainer's end, which receive() meets and reports.
  void flush() {
    if (outgoing.empty()) return;
    while (!outgoing.empty()) {
      const Result<bool> sent = send_frame(socket.get(), outgoing.front(), false);
      if (!sent)
        outgoing.clear();
      else if (*sent)
        outgoing.pop_front();
      else
        break;
    }
    watch(!outgoing.empty());
  }

  tl::unexpected<Error> end() {
    std::string how = reap();
    if (!stopped_because.empty()) how = std::move(stopped_because);
    ::epoll_ctl(poll.get(), EPOLL_CTL_DEL, socket.get(), nullptr);
    socket.reset();
    outgoing.clear();
    unanswered.clear();
    told = true;
    return fail(Code::kUnavailable, std::move(how));
  }

  tl::unexpected<Error> end_after(const Error& error) {
    stop("the trainer was stopped: " + error.what);
    return end();
  }

  // An answer must belong to a request that waits for it.
  Result<void> settle(const TrainerReply& reply) {
    const auto found = unanswered.find(id_of(reply));
    if (found == unanswered.end()) {
      const auto* failed = std::get_if<Failed>(&reply);
      return fail(Code::kBadInput,
                  failed != nullptr ? failed->error.what : "it answered what nobody asked");
    }
    if (std::holds_alternative<Progress>(reply)) return {};
    if (!std::holds_alternative<Failed>(reply) && reply.index() != found->second)
      return fail(Code::kBadInput, "it gave an answer of the wrong kind");
    unanswered.erase(found);
    return {};
  }
};

TrainerProcess::TrainerProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}
TrainerProcess::TrainerProcess(TrainerProcess&&) noexcept = default;
TrainerProcess& TrainerProcess::operator=(TrainerProcess&&) noexcept = default;
TrainerProcess::~TrainerProcess() = default;

Result<TrainerProcess> TrainerProcess::start(const TrainerOptions& options) {
  TRY_ASSIGN(SpawnedTrainer spawned, spawn_trainer(options));
  auto state = std::make_unique<State>();
  state->pid = spawned.pid;
  state->socket = std::move(spawned.socket);
  state->poll = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  if (!state->poll ||
      ::epoll_ctl(state->poll.get(), EPOLL_CTL_ADD, state->socket.get(), &event) != 0)
    return tl::unexpected(errno_error("cannot watch", "the trainer's socket"));
  return TrainerProcess(std::move(state));
}

int TrainerProcess::fd() const { return state_->poll.get(); }
bool TrainerProcess::alive() const { return state_->pid >= 0 && state_->stopped_because.empty(); }
std::size_t TrainerProcess::waiting() const { return state_->unanswered.size(); }
pid_t TrainerProcess::pid() const { return state_->pid; }
void TrainerProcess::pause(bool paused) {
  if (state_->pid >= 0) ::kill(state_->pid, paused ? SIGSTOP : SIGCONT);
}
void TrainerProcess::kill() { state_->stop("the trainer was stopped"); }

Result<void> TrainerProcess::submit(TrainerRequest request) {
  if (!alive()) return fail(Code::kUnavailable, "the trainer is over: start another one");
  if (waiting() >= limits::kTrainerRequestsMax)
    return fail(Code::kUnavailable, "the trainer has too much to do already");
  const RequestId id = id_of(request);
  const std::size_t answer = answer_to(request);
  if (state_->unanswered.contains(id))
    return fail(Code::kBadInput,
                "request " + std::to_string(id.value) + " waits for its answer already");
  TRY_ASSIGN(std::vector<TrainerFrame> frames, encode(std::move(request)));
  state_->unanswered.emplace(id, answer);
  for (TrainerFrame& frame : frames) state_->outgoing.push_back(std::move(frame));
  state_->flush();
  return {};
}

Result<std::optional<TrainerReply>> TrainerProcess::receive() {
  State& state = *state_;
  if (state.told) return std::nullopt;
  state.flush();
  Result<ReceivedFrame> received = receive_frame(state.socket.get(), false);
  if (!received) return state.end_after(received.error());
  switch (received->kind) {
    case ReceivedFrame::Kind::kNothing: return std::nullopt;
    case ReceivedFrame::Kind::kEnd:
      ::kill(state.pid, SIGKILL);  // one that only closed its socket is of no use any more
      return state.end();
    case ReceivedFrame::Kind::kFrame: break;
  }
  Result<TrainerReply> reply = decode_reply(std::move(received->frame));
  if (!reply) return state.end_after(reply.error());
  if (Result<void> settled = state.settle(*reply); !settled)
    return state.end_after(settled.error());
  return std::move(*reply);
}

}  // namespace freshet
