#pragma once
// Privacy of the examples of a fine-tuning: how much noise was asked for, and the ledger in which
// it is charged before the first step.

#include <optional>

#include "aggregation/privacy/ledger.h"
#include "cli/model/finetune_task.h"
#include "crypto/secret.h"

namespace freshet {

// Sets plan.dp, and steps where the flags give none. kBadInput where the text has too few examples
// or the budget asks for more noise than there is. REQUIRES: flags.is_private().
Result<void> take_privacy(const FinetuneFlags& flags, FinetuneTask& task);

struct PrivateTraining {
  Secret key;
  Digest training{};  // all that the training depends on
  std::uint64_t examples = 0;
  double rate = 0, epsilon = 0;  // of this training alone
  Spent spent;                   // of all in the ledger, this one included
};

// Charges the training in FOLDER/examples.ledger and takes its key from the keys of that folder.
// Going on with a training is free. kRefused where it would pass the budget.
Result<PrivateTraining> charge_training(const FinetuneFlags& flags, const FinetuneTask& task,
                                        const TrainingTerms& terms);

}  // namespace freshet
