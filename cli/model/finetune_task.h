#pragma once
// What a fine-tuning is made of before the first step: the model's files, the text in tokens, the
// plan in numbers.

#include <memory>
#include <string>

#include "cli/model/finetune_flags.h"
#include "model/files/model_files.h"
#include "model/text/corpus.h"
#include "trainer/training/checkpoint.h"
#include "trainer/training/memory_plan.h"

namespace freshet {

// A model whose weights are mapped and checked, but not yet made ready to compute.
struct BaseModel {
  ModelFiles files;
  ModelConfig config;
  Tokenizer tokenizer;
  std::shared_ptr<const Weights> weights;
  Result<ChatTemplate> chat;
};
Result<BaseModel> open_base(const std::string& folder);

struct FinetuneTask {
  TrainPlan plan;
  Layout layout;
  std::vector<float> initial;
  std::string base_model;  // as the adapter will name it
  Corpus corpus;
  double tokens_a_step = 0;
};

// Reads the text and the adapter of --init. kBadInput where text, adapter or window do not do.
Result<FinetuneTask> make_task(const BaseModel& base, const FinetuneFlags& flags);

// Chosen by the machine, or by the training that is gone on with.
struct Means {
  Precision precision = Precision::kF32;
  std::uint64_t predicted_bytes = 0;  // 0: not said
  std::string why;
};
// Sets micro_batch, recompute and head_rows of the task's plan. `saved` may be null.
Result<Means> choose_means(const BaseModel& base, const FinetuneFlags& flags,
                           const TrainingTerms* saved, int threads, FinetuneTask& task);

// All that decides the adapter. Reads the whole model, for its digest.
Result<TrainingTerms> terms_of(const BaseModel& base, const FinetuneFlags& flags,
                               const FinetuneTask& task, Precision precision, int threads);

}  // namespace freshet
