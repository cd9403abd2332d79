// Encoding speed of one tokenizer on one text, one thread:
//   bench_tokenizer TOKENIZER.JSON TEXT [RUNS]
// prints ids, then the best and median MB/s over RUNS (default 7) runs on the same tokenizer, and
// the most memory that the process held.

#include "model/tokenizer/tokenizer.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/files.h"
#include "base/limits.h"

int main(int argc, char** argv) {
  using namespace freshet;
  if (argc < 3) {
    std::fputs("usage: bench_tokenizer TOKENIZER.JSON TEXT [RUNS]\n", stderr);
    return 2;
  }
  const int runs = argc > 3 ? std::clamp(std::atoi(argv[3]), 1, 1000) : 7;
  const auto json = read_file(argv[1], limits::kSmallFileBytesMax);
  const auto text = read_file(argv[2], limits::kTextFileBytesMax);
  if (!json || !text) {
    std::fprintf(stderr, "%s\n", (!json ? json.error() : text.error()).what.c_str());
    return 1;
  }
  const auto tokenizer = Tokenizer::parse(*json, argv[1]);
  if (!tokenizer) {
    std::fprintf(stderr, "%s\n", tokenizer.error().what.c_str());
    return 1;
  }
  std::vector<double> speeds;  // MB/s
  std::size_t ids = 0;
  for (int run = 0; run < runs; ++run) {
    const auto start = std::chrono::steady_clock::now();
    ids = tokenizer->encode(*text, false).size();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    speeds.push_back(static_cast<double>(text->size()) / 1e6 / took.count());
  }
  std::sort(speeds.begin(), speeds.end());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("%zu bytes, %zu ids: best %.1f MB/s, median %.1f MB/s, peak %ld MB\n", text->size(),
              ids, speeds.back(), speeds[speeds.size() / 2], usage.ru_maxrss / 1000);
  return 0;
}
