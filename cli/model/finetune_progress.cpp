#include "cli/model/finetune_progress.h"

#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>
#include <string>

#include "base/files.h"

namespace freshet {
namespace {

constexpr std::chrono::seconds kQuiet{2}, kEvery{5};
constexpr std::chrono::milliseconds kLiveEvery{200};

std::string clock_text(double seconds) {
  const auto whole = static_cast<long>(seconds + 0.5);
  char text[48];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  return text;
}

}  // namespace

double process_seconds() {
  // Field 22 of /proc/self/stat, after the name, which stands in parentheses and may hold anything.
  const Result<std::string> stat = read_file("/proc/self/stat", 4096);
  if (!stat || stat->rfind(')') == std::string::npos) return 0;
  std::istringstream fields(stat->substr(stat->rfind(')') + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const double started =
      std::strtod(field.c_str(), nullptr) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9 - started;
}

FinetuneProgress::FinetuneProgress(double tokens_a_step)
    : tokens_a_step_(tokens_a_step),
      terminal_(::isatty(STDERR_FILENO) == 1),
      begun_(Clock::now()),
      next_(begun_ + kQuiet) {}

FinetuneProgress::~FinetuneProgress() { end_line(); }

void FinetuneProgress::end_line() {
  if (live_) std::fputc('\n', stderr);
  live_ = false;
}

void FinetuneProgress::step(int done, int total, float loss) {
  const Clock::time_point now = Clock::now();
  smooth_ = first_step_ == 0 ? loss : 0.9 * smooth_ + 0.1 * static_cast<double>(loss);
  if (first_step_ == 0) {
    first_step_ = process_seconds();
    first_ = done;
    first_done_ = now;
  }
  if (now < next_ && !(live_ && done == total)) return;
  next_ = now + (terminal_ ? Clock::duration(kLiveEvery) : Clock::duration(kEvery));
  // The first step makes memory and is slower; until there is a second one it is all there is.
  const bool more = done > first_;
  const double seconds = std::chrono::duration<double>(now - (more ? first_done_ : begun_)).count();
  const double a_step = seconds / (more ? done - first_ : 1);
  std::fprintf(stderr, "%sstep %d/%d  loss %.4f  %.0f tokens/s  %s left%s",
               terminal_ ? "\r\x1b[K" : "", done, total, smooth_, tokens_a_step_ / a_step,
               clock_text(a_step * (total - done)).c_str(), terminal_ ? "" : "\n");
  live_ = terminal_;
}

}  // namespace freshet
