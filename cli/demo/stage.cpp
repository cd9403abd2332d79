#include "cli/demo/stage.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/clock.h"
#include "base/limits.h"

namespace freshet::demo {
namespace {

constexpr std::size_t kAnswerBytesMax = 16 * limits::kMiB;
constexpr int kTurnMs = 200, kSampleMs = 500, kEndMs = 10'000;

std::int64_t now_ms() { return SystemClock().now().ms; }

}  // namespace

Result<Stage> Stage::open(Path folder, const StopSignal& stop) {
  TRY(make_folders(folder / "logs"));
  TRY_ASSIGN(auto fleet, Fleet::make(folder));
  return Stage(std::move(folder), stop, std::move(fleet));
}

Stage::Stage(Path folder, const StopSignal& stop, std::unique_ptr<Fleet> fleet)
    : folder_(std::move(folder)),
      freshet_(binary_folder() / "freshet"),
      stop_(&stop),
      fleet_(std::move(fleet)) {}

std::vector<std::string> Stage::command(std::vector<std::string> words) const {
  words.insert(words.begin(), freshet_.string());
  return words;
}

Path Stage::log_of(const std::string& name) const { return folder_ / "logs" / (name + ".log"); }

Result<void> Stage::start(const std::string& name, std::vector<std::string> words, Policy policy) {
  TRY(fleet_->start(name, command(words), log_of(name)));
  verbs_[name] = {std::move(words), policy};
  return {};
}

void Stage::restart_with(const std::string& name, std::vector<std::string> words,
                         int restarts_max) {
  verbs_[name].words = std::move(words);
  verbs_[name].policy.restarts_max = restarts_max;
}

int Stage::restarts_of(const std::string& name) const {
  auto found = verbs_.find(name);
  return found == verbs_.end() ? 0 : found->second.restarts;
}

Result<void> Stage::take(const Fleet::Ended& ended) {
  Standing& verb = verbs_[ended.name];
  if (WIFSIGNALED(ended.status) && verb.restarts < verb.policy.restarts_max) {
    ++verb.restarts;
    return fleet_->start(ended.name, command(verb.words), log_of(ended.name));
  }
  verb.running = false;
  if (verb.policy.may_end && ended.status == 0) return {};
  return tl::unexpected(error_of(ended));
}

Result<void> Stage::check() {
  if (stop_->came()) return fail(Code::kExpired, "interrupted; everything was stopped");
  while (auto ended = fleet_->next_ended()) TRY(take(*ended));
  if (now_ms() - sampled_ms_ >= kSampleMs) {
    memory_peak_ = std::max(memory_peak_, fleet_->resident_bytes());
    sampled_ms_ = now_ms();
  }
  return {};
}

Result<void> Stage::wait_until(std::string_view what, int timeout_ms,
                               const std::function<bool()>& done) {
  std::int64_t until = now_ms() + timeout_ms;
  while (!done()) {
    if (now_ms() > until)
      return fail(Code::kExpired, fmt::format("waited {} s for {}; see {}", timeout_ms / 1000, what,
                                              (folder_ / "logs").string()));
    TRY(pause(20));
  }
  return {};
}

Result<void> Stage::pause(int ms) {
  pollfd wait{stop_->fd(), POLLIN, 0};
  poll(&wait, 1, ms);
  return check();
}

Result<Stage::Answer> Stage::ask_later(const std::string& name, const std::string& log,
                                       std::vector<std::string> words) {
  TRY_ASSIGN(UniqueFd output, fleet_->start_piped(name, command(words), log_of(log)));
  verbs_[name] = {std::move(words), {.may_end = true}};
  return Answer{name, std::move(output), {}, false};
}

// One wait for whatever comes first.
Result<void> Stage::read_from(std::vector<Answer*> answers, int timeout_ms) {
  std::vector<pollfd> waits{{stop_->fd(), POLLIN, 0}};
  for (Answer* answer : answers)
    waits.push_back({answer->closed ? -1 : answer->output.get(), POLLIN, 0});
  if (poll(waits.data(), waits.size(), timeout_ms) < 0 && errno != EINTR)
    return tl::unexpected(errno_error("cannot wait for", "a process"));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (waits[i + 1].revents == 0) continue;
    char piece[16 * 1024];
    ssize_t got = read(answers[i]->output.get(), piece, sizeof piece);
    if (got <= 0) answers[i]->closed = true;
    if (got > 0) answers[i]->text.append(piece, static_cast<std::size_t>(got));
    if (answers[i]->text.size() > kAnswerBytesMax)
      return fail(Code::kBadInput, answers[i]->name + " says too much");
  }
  return check();
}

Result<void> Stage::wait_for_end(const std::string& name) {
  return wait_until(name + " to end", kEndMs, [&] { return !is_running(name); });
}

Result<std::string> Stage::ask(const std::string& name, std::vector<std::string> words) {
  TRY_ASSIGN(auto answers, ask_all(name, {std::move(words)}, 1));
  return answers[0];
}

Result<std::vector<std::string>> Stage::ask_all(
    const std::string& name, const std::vector<std::vector<std::string>>& questions,
    std::size_t together) {
  std::vector<std::string> answers(questions.size());
  std::vector<std::pair<std::size_t, Answer>> open;
  std::size_t next = 0;
  while (next < questions.size() || !open.empty()) {
    while (next < questions.size() && open.size() < together) {
      std::string each = questions.size() == 1 ? name : fmt::format("{}-{}", name, next + 1);
      TRY_ASSIGN(Answer answer, ask_later(each, name, questions[next]));
      open.emplace_back(next++, std::move(answer));
    }
    std::vector<Answer*> waiting;
    for (auto& [index, answer] : open) waiting.push_back(&answer);
    TRY(read_from(waiting, kTurnMs));
    for (auto& [index, answer] : open)
      if (answer.closed) {
        TRY(wait_for_end(answer.name));
        answers[index] = std::move(answer.text);
      }
    std::erase_if(open, [](const auto& each) { return each.second.closed; });
  }
  return answers;
}

Result<void> Stage::follow(const std::string& name, std::vector<std::string> words,
                           const std::function<Result<void>(std::string_view)>& line,
                           const std::function<Result<void>()>& between) {
  TRY_ASSIGN(Answer answer, ask_later(name, name, std::move(words)));
  while (!answer.closed) {
    TRY(read_from({&answer}, kTurnMs));
    std::size_t at = 0;
    for (std::size_t end; (end = answer.text.find('\n', at)) != std::string::npos; at = end + 1)
      TRY(line(std::string_view(answer.text).substr(at, end - at)));
    answer.text.erase(0, at);
    TRY(between());
  }
  return wait_for_end(name);
}

std::string trimmed(std::string text) {
  text.erase(text.find_last_not_of(" \n") + 1);
  return text;
}

}  // namespace freshet::demo
