#pragma once
// What the verbs that write models share: progress on the terminal, and Ctrl-C that leaves nothing
// half-written.

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/files/quantized_blocks.h"
#include "model/files/write_hugging_face.h"

namespace freshet {

// "f32", "f16", "bf16" or "q8_0"; "" is none.
std::optional<WeightType> weight_type_named(const std::string& name);

// Runs `write` with a progress that prints to standard error from the second second on and ends at
// SIGINT or SIGTERM. Prints what was written, or the error; returns the exit code.
int run_writing(const std::string& out, bool json,
                const std::function<Result<Written>(const OnProgress&)>& write);

}  // namespace freshet
