#pragma once
// Time as a value. Pure code takes an Instant as an argument; only drivers hold a Clock.

#include <compare>
#include <cstdint>

namespace freshet {

struct Instant {  // milliseconds of a monotonic clock; meaningless across processes
  std::int64_t ms = 0;
  auto operator<=>(const Instant&) const = default;
};
inline Instant operator+(Instant at, std::int64_t ms) { return {at.ms + ms}; }
inline std::int64_t operator-(Instant later, Instant earlier) { return later.ms - earlier.ms; }

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
};

// Seconds since 1970 by the machine's own clock, for the dates of certificates alone.
std::int64_t wall_clock_s();

class SystemClock final : public Clock {
 public:
  Instant now() const override;
};

}  // namespace freshet
