// Drives a fuzz target without libFuzzer, as an ordinary test.
//
// fuzz_NAME --seconds N [--seed S] FOLDER: every file of FOLDER, then mutations until N s are over.
//
// fuzz_NAME --replay S I FOLDER: input I of seed S again, in this process.
//
// fuzz_NAME FILE...: these inputs.
//
// Input I depends on S, I and the files alone. The target runs in a child: whatever ends it (a
// signal, a sanitizer, a hang), the parent still knows the input, says how to run it again and
// writes it beside the program.

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/rng.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace freshet {
namespace {

constexpr std::size_t kInputBytesMax = 1 << 19;
constexpr unsigned kHangSeconds = 20;

struct Arguments {
  std::uint64_t seconds = 0, seed = 0, iteration = 0;
  bool replay = false;
  std::vector<std::string> paths;
};

[[noreturn]] void usage() {
  fmt::print(stderr,
             "usage: fuzz_NAME --seconds N [--seed S] FOLDER | --replay SEED ITERATION FOLDER | "
             "FILE...\n");
  std::exit(2);
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) usage();
  return value;
}

Arguments arguments_of(int argc, char** argv) {
  Arguments arguments;
  std::random_device chance;
  arguments.seed = std::uint64_t{chance()} << 32 | chance();
  const auto take = [&](int& i) {
    if (++i >= argc) usage();
    return number(argv[i]);
  };
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--seconds") {
      arguments.seconds = take(i);
    } else if (argument == "--seed") {
      arguments.seed = take(i);
    } else if (argument == "--replay") {
      arguments.replay = true;
      arguments.seed = take(i);
      arguments.iteration = take(i);
    } else if (argument.starts_with("-")) {
      usage();
    } else {
      arguments.paths.emplace_back(argument);
    }
  }
  if (arguments.paths.empty()) usage();
  return arguments;
}

Bytes load(const Path& path) {
  const auto content = read_file(path, kInputBytesMax);
  if (!content) {
    fmt::print(stderr, "{}\n", content.error().what);
    std::exit(2);
  }
  return to_bytes(as_bytes(*content));
}

std::vector<Bytes> seeds_of(const std::vector<std::string>& paths) {
  std::vector<Path> files;
  for (const Path path : paths) {
    if (!std::filesystem::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(path))
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());  // the folder's own order is chance
  std::vector<Bytes> seeds;
  for (const Path& file : files) seeds.push_back(load(file));
  if (seeds.empty()) seeds.emplace_back();
  return seeds;
}

// ---- mutations

struct Range {
  std::size_t begin, size;
};
Range range_in(const Bytes& input, Rng& rng) {
  if (input.empty()) return {0, 0};
  const std::size_t begin = rng.below(input.size());
  const std::size_t longest = rng.below(4) == 0 ? input.size() : std::size_t{32};
  return {begin, rng.below(std::min(longest, input.size() - begin) + 1)};
}

Bytes cut(const Bytes& input, Range range) {
  const auto begin = input.begin() + static_cast<std::ptrdiff_t>(range.begin);
  return {begin, begin + static_cast<std::ptrdiff_t>(range.size)};
}

void insert(Bytes& input, std::size_t at, const Bytes& piece) {
  input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), piece.begin(), piece.end());
}

void erase(Bytes& input, Range range) {
  const auto begin = input.begin() + static_cast<std::ptrdiff_t>(range.begin);
  input.erase(begin, begin + static_cast<std::ptrdiff_t>(range.size));
}

// Lengths, counts and offsets are little-endian numbers somewhere: one becomes another that is
// likely to hurt.
void edit_number(Bytes& input, Rng& rng) {
  const std::size_t width = std::size_t{1} << rng.below(4);
  if (input.size() < width) return;
  std::size_t at = rng.below(input.size() - width + 1);
  if (rng.below(2) == 0) at -= at % width;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) value |= std::uint64_t{input[at + i]} << (8 * i);
  switch (rng.below(4)) {
    case 0: value += rng.below(33) - 16; break;
    case 1: value = std::uint64_t{0} - rng.below(3); break;
    case 2: value = (std::uint64_t{1} << rng.below(64)) - rng.below(2); break;
    default: value = input.size() + rng.below(17) - 8; break;
  }
  for (std::size_t i = 0; i < width; ++i)
    input[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

void mutate_once(Bytes& input, const Bytes& other, Rng& rng) {
  const Range range = range_in(input, rng);
  switch (rng.below(9)) {
    case 0:
    case 1:
      if (!input.empty()) input[range.begin] ^= static_cast<std::uint8_t>(1 << rng.below(8));
      break;
    case 2:
      if (!input.empty()) input[range.begin] = static_cast<std::uint8_t>(rng.next_u32());
      break;
    case 3: edit_number(input, rng); break;
    case 4: input.resize(range.begin); break;
    case 5: erase(input, range); break;
    case 6: insert(input, range.begin, cut(input, range)); break;
    case 7: insert(input, range.begin, cut(other, range_in(other, rng))); break;
    default: {  // the head of this one and the tail of the other
      input.resize(range.begin);
      const std::size_t begin = other.empty() ? 0 : rng.below(other.size());
      insert(input, input.size(), cut(other, {begin, other.size() - begin}));
    }
  }
  if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
}

Bytes input_of(const std::vector<Bytes>& seeds, std::uint64_t seed, std::uint64_t iteration) {
  if (iteration < seeds.size()) return seeds[iteration];
  Rng rng(seed, iteration);
  Bytes input = seeds[rng.below(seeds.size())];
  for (std::uint64_t rest = 1 + rng.below(6); rest > 0; --rest)
    mutate_once(input, seeds[rng.below(seeds.size())], rng);
  return input;
}

// ---- the child and its parent

void run(const Bytes& input) { LLVMFuzzerTestOneInput(input.data(), input.size()); }

// The iteration that runs, where the parent can read it after the child's end.
std::atomic<std::uint64_t>& shared_iteration() {
  void* page = ::mmap(nullptr, sizeof(std::atomic<std::uint64_t>), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) std::abort();
  return *new (page) std::atomic<std::uint64_t>(0);
}

void run_until_the_end(const Arguments& arguments, const std::vector<Bytes>& seeds,
                       std::atomic<std::uint64_t>& iteration) {
  using Time = std::chrono::steady_clock;
  const auto end = Time::now() + std::chrono::seconds(arguments.seconds);
  for (; iteration < seeds.size() || Time::now() < end; ++iteration) {
    ::alarm(kHangSeconds);  // its default action ends the child
    run(input_of(seeds, arguments.seed, iteration));
  }
}

int report_end(const Arguments& arguments, const Bytes& input, std::uint64_t iteration, int status,
               const char* program) {
  const Path file =
      binary_folder() / fmt::format("fuzz-failure-{}-{}.bin", arguments.seed, iteration);
  const bool written = write_file_durably(file, input).has_value();
  std::string end = fmt::format("exit code {}", WEXITSTATUS(status));
  if (WIFSIGNALED(status))
    end = fmt::format("signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  fmt::print(stderr, "FAILED with {}; run it again: {} --replay {} {} {}\n", end, program,
             arguments.seed, iteration, arguments.paths[0]);
  if (written) fmt::print(stderr, "its {} bytes are in {}\n", input.size(), file.string());
  return 1;
}

int guard(const Arguments& arguments, const std::vector<Bytes>& seeds, const char* program) {
  std::atomic<std::uint64_t>& iteration = shared_iteration();
  fmt::print("seed {}, {} seed files\n", arguments.seed, seeds.size());
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child < 0) std::abort();
  if (child == 0) {
    run_until_the_end(arguments, seeds, iteration);
    std::exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0)
    return report_end(arguments, input_of(seeds, arguments.seed, iteration), iteration, status,
                      program);
  fmt::print("{} inputs, no failure\n", iteration.load());
  return 0;
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) {
  using namespace freshet;
  const Arguments arguments = arguments_of(argc, argv);
  const std::vector<Bytes> seeds = seeds_of(arguments.paths);
  if (!arguments.replay) return guard(arguments, seeds, argv[0]);
  run(input_of(seeds, arguments.seed, arguments.iteration));
  fmt::print("input {} of seed {} passes\n", arguments.iteration, arguments.seed);
  return 0;
}
