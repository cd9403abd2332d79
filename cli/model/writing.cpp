#include "cli/model/writing.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/exit_code.h"
#include "base/json.h"
#include "base/stop_signal.h"

namespace freshet {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kQuietSeconds = 2, kEverySeconds = 1;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void print(const std::string& out, bool json, const Written& written, double seconds) {
  if (json) {
    std::puts(to_text(Json{{"out", out},
                           {"tensors", written.tensors},
                           {"adapted", written.adapted},
                           {"parameters", written.parameters},
                           {"bytes", written.bytes},
                           {"seconds", seconds}})
                  .c_str());
    return;
  }
  std::printf("%s\n  %llu tensors, %.2f M parameters, %.1f MB", out.c_str(),
              static_cast<unsigned long long>(written.tensors),
              static_cast<double>(written.parameters) / 1e6,
              static_cast<double>(written.bytes) / 1e6);
  if (written.adapted > 0)
    std::printf(", %llu with the adapter", static_cast<unsigned long long>(written.adapted));
  std::printf("\n");
}

}  // namespace

std::optional<WeightType> weight_type_named(const std::string& name) {
  if (name == "f32") return WeightType::kF32;
  if (name == "f16") return WeightType::kF16;
  if (name == "bf16") return WeightType::kBF16;
  if (name == "q8_0") return WeightType::kQ8_0;
  return std::nullopt;
}

int run_writing(const std::string& out, bool json,
                const std::function<Result<Written>(const OnProgress&)>& write) {
  const Result<StopSignal> stop = StopSignal::watch();
  if (!stop) return report(stop.error());
  const Clock::time_point start = Clock::now();
  double next = kQuietSeconds;
  const OnProgress on_progress = [&](std::uint64_t done, std::uint64_t total) -> Result<void> {
    if (stop->came()) return fail(Code::kUnavailable, "interrupted; nothing was written");
    const double seconds = seconds_since(start);
    if (seconds < next) return {};
    next = seconds + kEverySeconds;
    const double share =
        static_cast<double>(done) / static_cast<double>(std::max<std::uint64_t>(total, 1));
    std::fprintf(stderr, "%3.0f %%, %.0f s left\n", 100 * share,
                 seconds * (1 - share) / std::max(share, 1e-3));
    return {};
  };
  const Result<Written> written = write(on_progress);
  if (written) {
    print(out, json, *written, seconds_since(start));
    return static_cast<int>(ExitCode::kOk);
  }
  const int code = report(written.error());
  return stop->came() ? static_cast<int>(ExitCode::kInterrupted) : code;
}

}  // namespace freshet
