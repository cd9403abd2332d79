#pragma once
// Places where a process may die between two things that belong together, by name. They are in
// every build, so that what is shipped is what was tested; nothing in the shipped programs can arm
// them, and one that is not armed costs the load of a null pointer beside a write to the disk.
// tests/chaos fails the first of them that a daemon reaches, then the second, until none is left.

#include <atomic>

namespace freshet {

using CrashHook = void (*)(const char* name);
inline std::atomic<CrashHook> crash_hook{nullptr};  // a test's alone

inline void crash_point(const char* name) {
  if (const CrashHook hook = crash_hook.load(std::memory_order_relaxed)) hook(name);
}

}  // namespace freshet
