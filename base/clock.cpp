#include "base/clock.h"

#include <chrono>

namespace freshet {

Instant SystemClock::now() const {
  using namespace std::chrono;
  return {duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count()};
}

std::int64_t wall_clock_s() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace freshet
