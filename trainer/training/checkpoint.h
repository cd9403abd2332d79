#pragma once
// A training that was broken off, as bytes: its state, and by name everything else that the rest of
// it depends on, so that a state is taken up by the training that it is of and by no other.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.h"
#include "trainer/training/train.h"

namespace freshet {

// What a training depends on: ("learning rate", "0.0002"), ("model", its digest), ... Words are for
// people.
using TrainingTerms = std::vector<std::pair<std::string, std::string>>;

struct Checkpoint {
  TrainingTerms terms;
  TrainState state;
};

// Magic, version, terms, counts, values, and a digest of all that at the end; numbers are
// little-endian.
Bytes encode_checkpoint(const TrainingTerms& terms, const TrainState& state);

// kBadInput for bytes that are no saved training or of another version; kCorrupt where they do not
// verify. `source` names the file in errors.
Result<Checkpoint> decode_checkpoint(ByteView bytes, std::string_view source);

// Durably: after an Ok the old or the new state is there, whole.
Result<void> write_checkpoint(const Path& path, const TrainingTerms& terms,
                              const TrainState& state);
Result<Checkpoint> read_checkpoint(const Path& path);

// The value of a term; "" where there is none.
std::string_view term_of(const TrainingTerms& terms, std::string_view name);

// kBadInput that names the first term in which a saved training is another one.
Result<void> check_same_training(const TrainingTerms& saved, const TrainingTerms& wanted,
                                 std::string_view source);

}  // namespace freshet
