#pragma once
// The memory that a piece of work takes, measured in a process of its own.

#include <functional>

#include "base/result.h"

namespace freshet {

// Resident memory at its highest above what the process starts with, in KiB. An error of the work,
// a child that dies, and one that takes longer than `seconds_max` (it is killed) are errors.
Result<long> peak_kib_of_child(const std::function<Result<void>()>& work, int seconds_max);

}  // namespace freshet
