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
#include "edge_node/device_rules.h"
#include "edge_node/private_text.h"
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
struct AnswerJob {
  Path question;  // a file
  AdapterSpec spec;
  std::vector<float> adapter;
  AnswerTerms terms;
};
using Job = std::variant<FinetuneJob, EvaluateJob, AnswerJob>;

struct JobDone {
  JobId id;
  std::variant<Finetuned, Evaluation, std::vector<float>, Error>
      result;  // Error: it was lost with its trainer, or refused by it
};

class Learner {
 public:
  struct Options {
    TrainerOptions trainer;
    Path model;
    PrivateText text;
  };
  explicit Learner(Options options) : options_(std::move(options)) {}

  // Starts the trainer with this window; starts it anew when it runs with another one.
  void open(int window);
  JobId submit(Job job);
  // Forgets a job: no JobDone follows. Ends the trainer when it has been at this job for long.
  void cancel(JobId id, Instant now);
  void rest();  // ends the trainer until there is another job
  // Until another word: begins nothing, or lets what runs wait, or ends it, to begin it anew.
  void hold(Hold hold);

  // Ends the trainer with all that it read; what runs begins anew, on the text as it is then.
  void renew();
  PrivateText& private_text() { return options_.text; }
  const std::string& trouble() const { return trouble_; }  // why nothing can begin; empty: none

  std::vector<int> descriptors() const;
  // When poll() may have something to do that no descriptor tells of.
  std::optional<Instant> due() const;
  // Ends the trainer by itself once it had nothing to do for a while: its memory is the device's.
  // Errors only for what cannot get better: a model or a folder of text that is not usable.
  Result<std::vector<JobDone>> poll(Instant now);

  const std::optional<TextOpened>& text() const { return text_; }
  bool idle() const { return !running_ && waiting_.empty(); }
  bool running() const { return running_.has_value(); }

 private:
  struct Waiting {
    JobId id;
    Job job;
  };
  struct Running {
    JobId id;
    RequestId request;
    Instant since;
    Job job;  // to begin it anew
  };
  Result<void> start_trainer();
  Result<void> open_text();
  Result<void> cannot_begin(const Error& error, Instant now, std::vector<JobDone>& done);
  Result<void> give_next(Instant now);
  Result<void> take(TrainerReply reply, std::vector<JobDone>& done);
  bool wanted() const { return window_ != 0 && (!waiting_.empty() || !text_); }
  void look_whether_to_rest(Instant now);
  void trainer_died(const Error& error, Instant now, std::vector<JobDone>& done);

  Options options_;
  int window_ = 0;
  std::optional<TrainerProcess> trainer_;
  std::optional<TextOpened> text_;  // of the last trainer that opened it
  bool open_ = false;               // this trainer has model and text
  std::deque<Waiting> waiting_;
  std::optional<Running> running_;
  std::uint64_t next_job_ = 1, next_request_ = 1;
  std::string trouble_;
  Hold hold_ = Hold::kNone;
  int deaths_ = 0;  // in a row, without a job done between
  Instant start_at_;
  std::optional<Instant> resting_at_;  // with nothing to do until then, the trainer ends
};

}  // namespace freshet
