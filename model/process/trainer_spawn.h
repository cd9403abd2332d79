#pragma once
// Starts the trainer's binary with one end of a socket pair as descriptor 3 and nothing else that
// the daemon has open but standard error. It dies with the thread that started it, is the first to
// go when memory is short, dumps no core, and stands in a process group of its own, so that Ctrl-C
// in a terminal reaches the daemon alone.

#include <sys/types.h>

#include "base/files.h"
#include "base/result.h"
#include "model/process/trainer_process.h"

namespace freshet {

struct SpawnedTrainer {
  pid_t pid = -1;
  UniqueFd socket;  // the daemon's end
};

Result<SpawnedTrainer> spawn_trainer(const TrainerOptions& options);

}  // namespace freshet
