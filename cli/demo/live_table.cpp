#include "cli/demo/live_table.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <string_view>

namespace freshet::demo {
namespace {

constexpr const char* kColumns = "{:>9}{:>8}{:>11}{:>10}{:>11}{:>11}{:>9}{:>9}";

}  // namespace

std::string clock_text(double seconds) {
  auto whole = static_cast<std::int64_t>(std::lround(std::max(seconds, 0.0)));
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string live_header() {
  return fmt::format(fmt::runtime(kColumns), "round", "nodes", "bits/byte", "change", "sent",
                     "received", "time", "left");
}

std::string live_line(const LiveRow& row) {
  return fmt::format(fmt::runtime(kColumns), fmt::format("{}/{}", row.version, row.rounds),
                     fmt::format("{}/{}", row.nodes, row.nodes_in_all), figure_text(row.loss),
                     row.version == 0 ? "" : change(row.loss_before, row.loss),
                     bytes_text(row.bytes_up), bytes_text(row.bytes_down), clock_text(row.seconds),
                     row.seconds_left ? clock_text(*row.seconds_left) : "-");
}

std::size_t terminal_width(std::FILE* out) {
  const char* kind = std::getenv("TERM");
  if (isatty(fileno(out)) == 0 || kind == nullptr || std::string_view(kind) == "dumb") return 0;
  winsize size{};
  return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// One write, so that a terminal never shows half of a change.
void LiveTable::write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

void LiveTable::note(const std::string& text) {
  std::string status = status_;
  std::string clear = width_ > 0 && !status.empty() ? "\r\x1b[K" : "";
  write(clear + text + "\n" + (clear.empty() ? "" : status));
}

void LiveTable::row(const LiveRow& row) {
  std::string text = headed_ ? "" : live_header() + "\n";
  headed_ = true;
  note(text + live_line(row));
}

void LiveTable::status(const std::string& text) {
  if (width_ == 0) return;
  std::string fitting = text.substr(0, width_ - 1);
  if (fitting == status_) return;
  status_ = fitting;
  write("\r" + fitting + "\x1b[K");
}

void LiveTable::clear() {
  if (width_ == 0 || status_.empty()) return;
  status_.clear();
  write("\r\x1b[K");
}

}  // namespace freshet::demo
