// The trainer of a world with real models: what freshet-trainer does for a daemon, and nothing
// else.

#include <unistd.h>

#include "trainer/backend.h"
#include "trainer/sandbox.h"
#include "trainer/threads.h"

int main() {
  freshet::warm_up(1);
  if (!freshet::enter_sandbox()) ::_exit(5);
  freshet::ModelBackend backend;
  ::_exit(freshet::serve(freshet::kServiceFd, backend));
}
