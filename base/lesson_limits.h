#pragma once
// Bounds of what a cloud model learns from; the others stand in base/limits.h.

namespace freshet::limits {

inline constexpr int kLessonSequencesMax = 1 << 17;  // of one lesson

}  // namespace freshet::limits
