#pragma once
// Where a fine-tuning writes: the adapter's folder, which stands whole or not at all, and beside
// it, as long as the training is not done, its state in FOLDER.state.

#include <optional>

#include "model/files/peft_adapter.h"
#include "trainer/training/checkpoint.h"

namespace freshet {

class FinetuneOutput {
 public:
  // kRefused where a folder or the state of another run stands in the way and `replace` is not
  // said; kNoSpace, kRefused where nothing can be written.
  static Result<FinetuneOutput> open(const Path& folder, bool resume, bool replace);

  const Path& state_path() const { return state_; }

  // The state of a training that was broken off, where it is to be gone on with; nothing where
  // there is none.
  Result<std::optional<Checkpoint>> take_saved() const;

  // Forgets the training that was broken off here and is not gone on with, where `replace` was
  // said: once the new one is known to be able to start.
  void forget_saved() const;

  Result<void> save(const TrainingTerms& terms, const TrainState& state) const;

  // After an Ok the adapter stands and the state is gone. `directions` may be null; else the
  // factors of MeZO's directions are written beside the adapter, with the seed that makes them.
  Result<void> finish(const ModelConfig& config, const PeftAdapter& adapter,
                      const std::vector<double>* directions, std::uint64_t seed) const;

 private:
  FinetuneOutput(Path folder, bool resume, bool replace)
      : folder_(std::move(folder)),
        state_(folder_.string() + ".state"),
        resume_(resume),
        replace_(replace) {}
  void remove_leftovers() const;

  Path folder_, state_;
  bool resume_, replace_;
};

}  // namespace freshet
