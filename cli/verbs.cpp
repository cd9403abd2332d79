#include "cli/verbs.h"

#include <algorithm>

#include "cli/help.h"

namespace freshet {
namespace {

// What the trainer leaves to LibTorch: all weights of a model trained, and other devices than the
// processor.
bool needs_torch(std::span<const std::string> words) {
  if (words.size() < 2 || words[0] != "model") return false;
  if (words[1] == "pretrain") return true;
  for (std::size_t i = 2; i < words.size(); ++i) {
    if (words[i].starts_with("--device=")) return words[i] != "--device=cpu";
    if (words[i] == "--device") return i + 1 < words.size() && words[i + 1] != "cpu";
  }
  return false;
}

constexpr Verb kVerbs[] = {
    {"demo", "", "freshet-demo", ""},
    {"coordinator", "", "freshet-coordinator", ""},
    {"campaign", "", "freshet-coordinator", "campaign"},
    {"fleet", "", "freshet-coordinator", "fleet"},
    {"authority", "", "freshet-authority", ""},
    {"node", "", "freshet-node", ""},
    {"model", "", "freshet-trainer", "model"},
    {"privacy", "ledger", "freshet-privacy", "ledger"},
    {"privacy", "epsilon", "freshet-privacy", "epsilon"},
    {"privacy", "payload", "freshet-node", "payload"},
    {"simulate", "learning", "freshet-trainer", "simulate-learning"},
    {"simulate", "protocol", "freshet-sim", ""},
    {"evaluate", "adapt", "freshet-trainer", "evaluate-adapt"},
    {"audit", "", "freshet-audit", ""},
    {"backup", "", "freshet-backup", "backup"},
    {"restore", "", "freshet-backup", "restore"},
    {"doctor", "", "freshet-doctor", ""},
    {"completion", "", "freshet-manual", "completion"},
    {"manual", "", "freshet-manual", "manual"},
};

bool is_help(std::string_view word) { return word == "--help" || word == "-h"; }

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

Misuse unknown(std::string_view typed, std::string_view what,
               std::span<const std::string_view> known) {
  std::string text = "freshet: \"" + std::string(typed) + "\" is not a " + std::string(what) +
                     ". See freshet --help.\n";
  if (std::string_view near = nearest(typed, known); !near.empty())
    text += "\nThe most similar is\n    " + std::string(near) + "\n";
  return {text};
}

// Of a verb that needs a second word.
std::string_view help_of(std::string_view first) {
  if (first == "evaluate") return evaluate_help();
  return first == "privacy" ? privacy_help() : simulate_help();
}

Decision without_second(const std::string& first) {
  return Misuse{"freshet: " + first + " what?\n\n" + std::string(help_of(first))};
}

}  // namespace

std::span<const Verb> all_verbs() { return kVerbs; }

std::string_view nearest(std::string_view typed, std::span<const std::string_view> known) {
  std::string_view best;
  std::size_t least = SIZE_MAX;
  for (std::string_view name : known) {
    bool begins = typed.size() >= 3 && name.substr(0, typed.size()) == typed;
    std::size_t changes = begins ? 0 : distance(typed, name);
    if (changes < least && changes <= std::max<std::size_t>(1, name.size() / 3)) {
      least = changes;
      best = name;
    }
  }
  return best;
}

Decision decide(std::span<const std::string> words) {
  if (words.empty()) return Misuse{std::string(main_help())};
  const std::string& first = words[0];
  if (is_help(first)) return Show{std::string(main_help())};
  if (first == "--version") return Show{std::string(version_line())};
  if (first == "help") {
    if (words.size() == 1) return Show{std::string(main_help())};
    std::vector<std::string> asked(words.begin() + 1, words.end());
    asked.emplace_back("--help");
    return decide(asked);
  }
  std::vector<std::string_view> names{"help"}, seconds;
  for (const Verb& verb : kVerbs) {
    names.push_back(verb.name);
    if (verb.name != first) continue;
    std::size_t used = 1;
    if (!verb.second.empty()) {
      if (words.size() == 1) return without_second(first);
      if (is_help(words[1])) return Show{std::string(help_of(first))};
      seconds.push_back(verb.second);
      if (words[1] != verb.second) continue;
      used = 2;
    }
    Execute execute{needs_torch(words) ? "freshet-torch" : std::string(verb.program), {}};
    if (!verb.before.empty()) execute.arguments.emplace_back(verb.before);
    execute.arguments.insert(execute.arguments.end(),
                             words.begin() + static_cast<std::ptrdiff_t>(used), words.end());
    return execute;
  }
  if (!seconds.empty())
    return unknown(words[1],
                   first == "privacy"    ? "privacy verb"
                   : first == "evaluate" ? "evaluation"
                                         : "simulation",
                   seconds);
  if (!first.empty() && first.front() == '-')
    return Misuse{"freshet: unknown option " + first + ". See freshet --help.\n"};
  return unknown(first, "freshet verb", names);
}

}  // namespace freshet
