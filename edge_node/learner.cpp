#include "edge_node/learner.h"

#include <fcntl.h>

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"
#include "model/text/corpus.h"

namespace freshet {
namespace {

constexpr const char* kPrivateText = "private";
constexpr RequestId kLoad{1}, kOpenText{2};
constexpr std::uint64_t kFirstJobRequest = 3;
constexpr std::int64_t kWorthFinishingMs = 10'000;  // a stale job older than this is not waited for
constexpr int kDeathsAtStartMax = 3;                // before it ever held model and text

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
}

std::vector<int> Learner::descriptors() const {
  return trainer_ ? std::vector<int>{trainer_->fd()} : std::vector<int>{};
}

Result<void> Learner::start_trainer() {
  TRY_ASSIGN(ModelFiles model, open_model_folder(options_.model));
  TRY_ASSIGN(std::vector<OpenFile> text, open_text_folder(options_.data));
  TRY_ASSIGN(TrainerProcess trainer, TrainerProcess::start(options_.trainer));
  TRY(trainer.submit(LoadModel{kLoad, Slot::kSlm, std::move(model), options_.trainer.threads}));
  TRY(trainer.submit(OpenText{kOpenText, kPrivateText, std::move(text), options_.heldout_share,
                              window_, Slot::kSlm}));
  trainer_.emplace(std::move(trainer));
  open_ = false;
  next_request_ = kFirstJobRequest;
  return {};
}

Result<void> Learner::give_next(Instant now) {
  if (!open_ || running_ || waiting_.empty()) return {};
  const RequestId request{next_request_++};
  TRY_ASSIGN(TrainerRequest asked, request_of(waiting_.front().job, request));
  TRY(trainer_->submit(std::move(asked)));
  running_ = Running{waiting_.front().id, request, now};
  waiting_.pop_front();
  return {};
}

Result<std::vector<JobDone>> Learner::poll(Instant now) {
  std::vector<JobDone> done;
  const bool wanted = window_ != 0 && (!waiting_.empty() || !text_);
  if (!trainer_ && wanted && now >= start_at_) {
    auto started = start_trainer();
    if (!started && started.error().code == Code::kUnavailable) {
      trainer_died(started.error(), now, done);
    } else if (!started) {
      return tl::unexpected(started.error());
    }
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
    if (auto given = give_next(now); !given) trainer_died(given.error(), now, done);
  }
  return done;
}

Result<void> Learner::take(TrainerReply reply, std::vector<JobDone>& done) {
  if (auto* text = std::get_if<TextOpened>(&reply)) {
    text_ = *text;
    open_ = true;
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
