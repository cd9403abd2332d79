#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/exit_code.h"
#include "base/files.h"
#include "cli/verbs.h"

namespace freshet {
namespace {

// Returns only if it fails.
int execute(const Execute& chosen) {
  Path program = binary_folder() / chosen.program;
  std::string name = program.string();
  std::vector<char*> arguments{name.data()};
  std::vector<std::string> words = chosen.arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // Threads that wait actively starve a busy machine; OpenMP reads this before any of a program's
  // own code runs.
  setenv("OMP_WAIT_POLICY", "passive", 0);
  setenv("GOMP_SPINCOUNT", "2000",
         0);  // some microseconds: the next loop of a step mostly comes sooner
  execv(name.c_str(), arguments.data());
  if (errno == ENOENT)
    return report({Code::kBadInput,
                   name + " is missing: it does this verb's work. Build it with: make build"});
  return report(errno_error("cannot start", program));
}

int main_of(std::vector<std::string> words) {
  Decision decision = decide(words);
  if (const auto* chosen = std::get_if<Execute>(&decision)) return execute(*chosen);
  if (const auto* show = std::get_if<Show>(&decision)) {
    std::fputs(show->text.c_str(), stdout);
    return static_cast<int>(ExitCode::kOk);
  }
  std::fputs(std::get<Misuse>(decision).text.c_str(), stderr);
  return static_cast<int>(ExitCode::kUsage);
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) { return freshet::main_of({argv + 1, argv + argc}); }
