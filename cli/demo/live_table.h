#pragma once
// What a person sees while the campaign runs: a row for every published version and, on a terminal,
// one line below that is rewritten in place. Without a terminal only the rows and notes are there,
// as plain lines.

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "cli/demo/report.h"

namespace freshet::demo {

struct LiveRow {
  std::uint64_t version = 0, rounds = 0;
  std::size_t nodes = 0, nodes_in_all = 0;  // whose figures are in the mean; of how many
  Figure loss, loss_before;                 // mean bits per byte of held-out text
  std::uint64_t bytes_up = 0, bytes_down = 0;
  double seconds = 0;
  std::optional<double> seconds_left;
};

// "    3/12    8/8      2.413   -7.3 %     1.8 MB     1.7 MB      0:42      1:10"; the header of
// the same widths.
std::string live_header();
std::string live_line(const LiveRow& row);

std::string clock_text(double seconds);  // "1:10"

class LiveTable {
 public:
  // `width`: columns of the terminal; 0 where there is none.
  LiveTable(std::FILE* out, std::size_t width) : out_(out), width_(width) {}
  ~LiveTable() { clear(); }

  void row(const LiveRow& row);          // kept
  void note(const std::string& text);    // kept
  void status(const std::string& text);  // on a terminal only; replaces the one before
  void clear();

 private:
  void write(const std::string& text);
  std::FILE* out_;
  std::size_t width_;
  bool headed_ = false;
  std::string status_;
};

// The columns of the terminal that `out` is; 0 where it is none.
std::size_t terminal_width(std::FILE* out);

}  // namespace freshet::demo
