#include "edge_node/learner.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"

namespace freshet {
namespace {

constexpr const char* kPrivateText = "private";
constexpr RequestId kLoad{1}, kOpenText{2};
constexpr std::uint64_t kFirstJobRequest = 3;
constexpr std::int64_t kWorthFinishingMs = 10'000;  // a stale job older than this is not waited for
constexpr int kDeathsAtStartMax = 3;                // before it ever held model and text
constexpr std::int64_t kTrainerIdleMs = 5'000;      // rounds that follow each other find it there

Result<TrainerRequest> answer_of(const AnswerJob& job, RequestId id) {
  UniqueFd file(::open(job.question.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return tl::unexpected(errno_error("cannot open", job.question));
  return TrainerRequest(Answer{id,
                               Slot::kSlm,
                               kPrivateText,
                               job.spec,
                               job.adapter,
                               {job.question.filename().string(), std::move(file)},
                               job.terms});
}

Result<TrainerRequest> request_of(const Job& job, RequestId id) {
  if (const auto* answer = std::get_if<AnswerJob>(&job)) return answer_of(*answer, id);
  if (const auto* finetune = std::get_if<FinetuneJob>(&job))
    return TrainerRequest(
        Finetune{id, Slot::kSlm, kPrivateText, finetune->plan, finetune->adapter});
  const auto& evaluate = std::get<EvaluateJob>(job);
  return TrainerRequest(Evaluate{id, Slot::kSlm, kPrivateText, true, evaluate.spec,
                                 evaluate.adapter, evaluate.window, evaluate.tokens_max});
}

void tell_of(const TextOpened& text) {
  std::string found;
  for (std::size_t kind = 0; kind < kPersonalKinds; ++kind)
    if (text.personal[kind] > 0)
      found += fmt::format("{}{} {}", found.empty() ? "" : ", ", text.personal[kind],
                           name_of(static_cast<PersonalKind>(kind)));
  if (!found.empty()) log::info("personal data masked in the text: {}", found);
  if (text.dropped > 0)
    log::info("{} passages with personal data in them are left out", text.dropped);
}

}  // namespace

void Learner::open(int window) {
  if (window_ == window) return;
  window_ = window;
  rest();
}

JobId Learner::submit(Job job) {
  const JobId id{next_job_++};
  waiting_.push_back({id, std::move(job)});
  return id;
}

void Learner::cancel(JobId id, Instant now) {
  std::erase_if(waiting_, [id](const Waiting& each) { return each.id == id; });
  if (!running_ || running_->id != id) return;
  if (now - running_->since >= kWorthFinishingMs) {
    rest();
  } else {
    running_->id = {0};  // its result goes nowhere
  }
}

void Learner::rest() {
  trainer_.reset();
  running_.reset();
  open_ = false;
  resting_at_.reset();
}

// Where another job comes soon, it finds model and text loaded; else they are not worth their
// memory.
void Learner::look_whether_to_rest(Instant now) {
  const bool nothing_to_do = hold_ == Hold::kNone ? idle() : !running_;
  if (!trainer_ || !open_ || !nothing_to_do) {
    resting_at_.reset();
  } else if (!resting_at_) {
    resting_at_ = now + kTrainerIdleMs;
  } else if (now >= *resting_at_) {
    rest();
  }
}

void Learner::renew() {
  if (running_ && running_->id != JobId{0})
    waiting_.push_front({running_->id, std::move(running_->job)});
  rest();
}

void Learner::hold(Hold hold) {
  if (hold == hold_) return;
  const bool was_paused = hold_ == Hold::kPause;
  hold_ = hold;
  if (hold == Hold::kEnd) renew();
  if (trainer_ && was_paused != (hold == Hold::kPause)) trainer_->pause(hold == Hold::kPause);
}

std::optional<Instant> Learner::due() const {
  const bool begins = open_ && !running_ && !waiting_.empty() && hold_ == Hold::kNone;
  if (trainer_) return begins ? Instant{} : resting_at_;
  return wanted() && hold_ == Hold::kNone ? std::optional(start_at_) : std::nullopt;
}

std::vector<int> Learner::descriptors() const {
  return trainer_ ? std::vector<int>{trainer_->fd()} : std::vector<int>{};
}

Result<void> Learner::start_trainer() {
  TRY_ASSIGN(ModelFiles model, open_model_folder(options_.model));
  TRY_ASSIGN(TrainerProcess trainer, TrainerProcess::start(options_.trainer));
  TRY(trainer.submit(LoadModel{kLoad, Slot::kSlm, std::move(model), options_.trainer.threads}));
  trainer_.emplace(std::move(trainer));
  next_request_ = kFirstJobRequest;
  return open_text();
}

Result<void> Learner::open_text() {
  TRY_ASSIGN(OpenText text, options_.text.open(wall_clock_s()));
  text.id = kOpenText;
  text.corpus = kPrivateText;
  text.window = window_;
  text.slot = Slot::kSlm;
  trouble_.clear();
  open_ = false;
  return trainer_->submit(std::move(text));
}

// What time or somebody may mend is tried again: no text may be used now, or a folder that was good
// is not there. What was never good nobody can work with.
Result<void> Learner::cannot_begin(const Error& error, Instant now, std::vector<JobDone>& done) {
  const bool passes = error.code == Code::kExpired ||
                      (text_ && error.code != Code::kUnavailable && error.code != Code::kCorrupt);
  if (passes) {
    if (trouble_ != error.what) log::warning("{}", error.what);
    trouble_ = error.what;
    rest();
    start_at_ = now + limits::kRetryMsMax;
    return {};
  }
  if (error.code != Code::kUnavailable) return tl::unexpected(error);
  trainer_died(error, now, done);
  return {};
}

Result<void> Learner::give_next(Instant now) {
  if (!open_ || running_ || waiting_.empty() || hold_ != Hold::kNone) return {};
  const bool trains = !std::holds_alternative<EvaluateJob>(waiting_.front().job);
  if (trains && options_.text.changed(wall_clock_s())) return open_text();
  const RequestId request{next_request_++};
  TRY_ASSIGN(TrainerRequest asked, request_of(waiting_.front().job, request));
  TRY(trainer_->submit(std::move(asked)));
  running_ = Running{waiting_.front().id, request, now, std::move(waiting_.front().job)};
  waiting_.pop_front();
  return {};
}

Result<std::vector<JobDone>> Learner::poll(Instant now) {
  std::vector<JobDone> done;
  if (!trainer_ && wanted() && hold_ == Hold::kNone && now >= start_at_) {
    if (auto started = start_trainer(); !started) TRY(cannot_begin(started.error(), now, done));
  }
  while (trainer_) {
    auto reply = trainer_->receive();
    if (!reply) {
      trainer_died(reply.error(), now, done);
      if (!text_ && deaths_ >= kDeathsAtStartMax)
        return fail_in("the trainer does not start", reply.error());
      return done;
    }
    if (!*reply) break;
    TRY(take(std::move(**reply), done));
  }
  if (trainer_) {
    if (auto given = give_next(now); !given) TRY(cannot_begin(given.error(), now, done));
  }
  look_whether_to_rest(now);
  return done;
}

Result<void> Learner::take(TrainerReply reply, std::vector<JobDone>& done) {
  if (auto* text = std::get_if<TextOpened>(&reply)) {
    text_ = *text;
    open_ = true;
    tell_of(*text);
    return {};
  }
  auto* failed = std::get_if<Failed>(&reply);
  if (failed != nullptr && (failed->id == kLoad || failed->id == kOpenText))
    return tl::unexpected(std::move(failed->error));
  if (!running_ || id_of(reply) != running_->request || std::holds_alternative<Progress>(reply))
    return {};
  const JobId id = running_->id;
  running_.reset();
  deaths_ = 0;
  if (id == JobId{0}) return {};
  if (failed != nullptr) {
    done.push_back({id, std::move(failed->error)});
  } else if (auto* finetuned = std::get_if<FinetuneDone>(&reply)) {
    if (auto noted = options_.text.note_training(); !noted) log::warning("{}", noted.error().what);
    done.push_back({id, std::move(finetuned->finetuned)});
  } else if (auto* evaluated = std::get_if<EvaluateDone>(&reply)) {
    done.push_back({id, evaluated->evaluation});
  } else if (auto* answered = std::get_if<Answered>(&reply)) {
    done.push_back({id, std::move(answered->values)});
  }
  return {};
}

void Learner::trainer_died(const Error& error, Instant now, std::vector<JobDone>& done) {
  const std::int64_t wait =
      std::min(limits::kRetryMs << std::min(deaths_, 16), limits::kRetryMsMax);
  ++deaths_;
  start_at_ = now + wait;
  log::warning("the trainer is gone: {}; started again in {} s", error.what, wait / 1000);
  if (running_ && running_->id != JobId{0}) done.push_back({running_->id, error});
  rest();
}

}  // namespace freshet
