#include <new>

#include "base/exit_code.h"
#include "cli/model/verbs.h"

namespace freshet {

int run_chosen(const Verb& chosen) {
  try {
    return chosen();
  } catch (const std::bad_alloc&) {
    return report({Code::kNoSpace,
                   "this machine has no memory for that: take a smaller --batch or --window, fewer "
                   "bits (--precision nf4) or a smaller model; finetune --memory-max finds what "
                   "fits"});
  }
}

}  // namespace freshet
