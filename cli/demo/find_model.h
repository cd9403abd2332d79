#pragma once
// Where the demo's models are.

#include "base/files.h"

namespace freshet::demo {

// $FRESHET_MODELS, models/ of the source tree that the binary was built in, or of the place it was
// installed to.
Result<Path> find_model(const std::string& name);

}  // namespace freshet::demo
