#pragma once
// A node's trainer process as a queue of jobs: keeps the process running, gives it the model and
// the private text as descriptors, one job at a time, and starts it again with back-off when it
// dies. The daemon itself never reads the text.

#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "model/process/trainer_process.h"

namespace freshet {

using JobId = Id<struct JobTag>;

struct FinetuneJob {
  FinetunePlan plan;
  std::vector<float> adapter;
};
struct EvaluateJob {  // on the held-out text
  AdapterSpec spec;
  std::vector<float> adapter;
  int window = 128;
  std::uint64_t tokens_max = 0;
};
using Job = std::variant<FinetuneJob, EvaluateJob>;

struct JobDone {
  JobId id;
  std::variant<Finetuned, Evaluation, Error>
      result;  // Error: it was lost with its trainer, or refused by it
};

class Learner {
 public:
  struct Options {
    TrainerOptions trainer;
    Path model, data;
    double heldout_share = 0.1;
  };
  explicit Learner(Options options) : options_(std::move(options)) {}

  // Starts the trainer with this window; starts it anew when it runs with another one.
  void open(int window);
  JobId submit(Job job);
  // Forgets a job: no JobDone follows. Ends the trainer when it has been at this job for long.
  void cancel(JobId id, Instant now);
  void rest();  // ends the trainer until there is another job

  std::vector<int> descriptors() const;
  // Errors only for what cannot get better: a model or a folder of text that is not usable.
  Result<std::vector<JobDone>> poll(Instant now);

  const std::optional<TextOpened>& text() const { return text_; }
  bool idle() const { return !running_ && waiting_.empty(); }
  // A job can be given to the trainer: poll() does, without waiting for anything.
  bool has_next() const { return open_ && !running_ && !waiting_.empty(); }

 private:
  struct Waiting {
    JobId id;
    Job job;
  };
  struct Running {
    JobId id;
    RequestId request;
    Instant since;
  };
  Result<void> start_trainer();
  Result<void> give_next(Instant now);
  Result<void> take(TrainerReply reply, std::vector<JobDone>& done);
  void trainer_died(const Error& error, Instant now, std::vector<JobDone>& done);

  Options options_;
  int window_ = 0;
  std::optional<TrainerProcess> trainer_;
  std::optional<TextOpened> text_;  // of the last trainer that opened it
  bool open_ = false;               // this trainer has model and text
  std::deque<Waiting> waiting_;
  std::optional<Running> running_;
  std::uint64_t next_job_ = 1, next_request_ = 1;
  int deaths_ = 0;  // in a row, without a job done between
  Instant start_at_;
};

}  // namespace freshet
