#pragma once
// What a daemon asks of its trainer process and what comes back, as plain structs, and their one
// encoding: a small JSON header beside descriptors (model/process/trainer_frame.h). Model files and text
// are descriptors that the daemon opened; vectors are sealed memory files. Decoding checks every
// kind, bound and length; it trusts neither side.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "model/files/model_files.h"
#include "model/language_model.h"
#include "model/process/trainer_frame.h"
#include "model/text/personal/personal_data.h"

namespace freshet {

using RequestId =
    Id<struct RequestTag>;  // chosen by the daemon; unique among the requests not yet answered

enum class Slot : std::uint8_t { kSlm, kLlm };  // a trainer holds at most one model of each
std::string_view name_of(Slot slot);            // "slm", "llm"

struct LoadModel {
  RequestId id;
  Slot slot = Slot::kSlm;
  ModelFiles files;
  int threads = 0;  // of the trainer from now on; 0 leaves the number it was started with
};
struct ModelLoaded {
  RequestId id;
  Slot slot = Slot::kSlm;
  ModelConfig config;
  std::uint64_t parameters = 0;
  Digest digest{};  // model_digest() of the files
};

// What becomes of passages with personal data in them.
enum class PersonalAction : std::uint8_t { kKeep, kMask, kDrop };

struct OpenText {
  RequestId id;
  std::string
      corpus;  // the name by which later requests mean this text; an earlier text of that name goes
  std::vector<OpenFile> files;
  double heldout_share = 0.1;  // [0, 0.95]: see make_corpus()
  int window = 128;
  Slot slot = Slot::kSlm;  // whose tokenizer is used
  std::string salt = {};   // of split_stably(); empty: the last of each document is held out
  PersonalAction personal = PersonalAction::kKeep;  // with a salt alone
};
struct TextOpened {
  RequestId id;
  std::uint64_t train_bytes = 0, heldout_bytes = 0, train_tokens = 0, heldout_tokens = 0;
  std::uint64_t dropped = 0;     // passages with personal data
  PersonalCounts personal = {};  // masked
};

struct Finetune {
  RequestId id;
  Slot slot = Slot::kSlm;
  std::string corpus;
  FinetunePlan plan;
  std::vector<float> adapter;  // empty: the base model with initial_adapter() of plan.seed
};
struct FinetuneDone {
  RequestId id;
  Finetuned finetuned;  // the caller compares the adapter's size with its layout
};

struct Evaluate {
  RequestId id;
  Slot slot = Slot::kSlm;
  std::string corpus;
  bool heldout = true;  // else the part that trains
  AdapterSpec spec;
  std::vector<float> adapter;  // empty: the base model
  int window = 128;
  std::uint64_t tokens_max = 0;  // only the first so many tokens; 0 is all
};
struct EvaluateDone {
  RequestId id;
  Evaluation evaluation;
};

struct Teach {  // the model in slot llm, by the one in slot slm
  RequestId id;
  AdapterSpec teacher_spec;
  std::vector<float> teacher_adapter;  // empty: the base model
  TeachPlan plan;
  std::string corpus;               // public text; empty where the plan asks for none
  OpenFile question = {};           // where the plan asks for its answers
  std::vector<float> answers = {};  // their mean
};
struct Taught {
  RequestId id;
  Finetuned student;
};

struct Answer {  // the question, by the node's own model
  RequestId id;
  Slot slot = Slot::kSlm;
  std::string corpus;  // its own text: it is silent on prompts that hold some of that
  AdapterSpec spec;
  std::vector<float> adapter;
  OpenFile question;
  AnswerTerms terms;
};
struct Answered {
  RequestId id;
  std::vector<float> values;  // the caller compares their number with its layout
};

struct Progress {
  RequestId id;
  std::uint64_t done = 0,
                total = 0;  // of the steps or windows of a request that is being worked on
};
struct Failed {
  RequestId id;  // 0 where the request could not even be read
  Error error;
};

using TrainerRequest = std::variant<LoadModel, OpenText, Finetune, Evaluate, Teach, Answer>;
using TrainerReply = std::variant<ModelLoaded, TextOpened, FinetuneDone, EvaluateDone, Taught,
                                  Answered, Progress, Failed>;

RequestId id_of(const TrainerRequest& request);
RequestId id_of(const TrainerReply& reply);

// One request is one frame, but that a text of many files takes several. Takes the descriptors
// over. kBadInput for what the other side would refuse; kNoSpace where memory for a vector is
// missing.
Result<std::vector<TrainerFrame>> encode(TrainerRequest request);
Result<TrainerFrame> encode(TrainerReply reply);

// Frames to requests: nothing after a frame that is one part of a text. An error drops the parts
// gathered so far.
class RequestDecoder {
 public:
  Result<std::optional<TrainerRequest>> take(TrainerFrame frame);

  // Of the last frame taken, whatever else was wrong with it; 0 where it said none.
  RequestId id() const { return id_; }

 private:
  RequestId id_;
  RequestId gathering_;
  std::vector<OpenFile> gathered_;
};

Result<TrainerReply> decode_reply(TrainerFrame frame);

}  // namespace freshet
