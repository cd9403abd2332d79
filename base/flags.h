#pragma once
// The flags and subcommands of a program, as people type them: POSIX words with --help on every
// command. A face of CLI11 that keeps its templates out of every file with a flag.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace freshet {

class Flag {
 public:
  explicit Flag(CLI::Option& option) : option_(&option) {}

  Flag* required();
  Flag* show_default();                      // in the help, as the variable has it now
  Flag* type_name(const std::string& word);  // DIR, FILE: in the help
  Flag* one_of(const std::vector<std::string>& words);
  Flag* existing_file();
  Flag* delimiter(char between);  // of the values of a list
  Flag* needs(const Flag* other);
  Flag* excludes(const Flag* other);

  // Both ends are allowed.
  template <class T>
  Flag* range(T low, T high) {
    if constexpr (std::is_integral_v<T>) {
      return within(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high));
    } else {
      return within(static_cast<double>(low), static_cast<double>(high));
    }
  }

  // A check of one's own: why the text is no value, or nothing.
  Flag* check(std::function<std::string(const std::string&)> wrong, const std::string& says);

  bool given() const;

 private:
  Flag* within(std::int64_t low, std::int64_t high);
  Flag* within(double low, double high);

  CLI::Option* option_;
};

// What a callback throws where flags do not go together: missing_flags where one is not there,
// refuse_flag where one is wrong. parse() prints it.
[[noreturn]] void missing_flags(const std::string& which);
[[noreturn]] void refuse_flag(const std::string& name, const std::string& why);

// A program or one of its subcommands. Variables, flags and subcommands live as long as it does.
class Command {
 public:
  Command(const std::string& says, const std::string& name);
  ~Command();
  Command(Command&&) = delete;

  // `name` is "--rank", or "FILE" for a place. T: std::string, int, unsigned, (u)int64, float,
  // double, an optional of one of these numbers, a vector of strings or ints: a value each time it
  // is given.
  template <class T>
  Flag* add_option(const std::string& name, T& value, const std::string& says = "");
  Flag* add_flag(const std::string& name, bool& value, const std::string& says = "");
  Command* add_subcommand(const std::string& name, const std::string& says);

  void require_subcommand();                 // one of them
  void footer(const std::string& text);      // below the help
  void callback(std::function<void()> run);  // after the words of this command are read

  bool given() const;                         // this subcommand was typed
  bool given(const std::string& flag) const;  // this flag of the command was
  std::string typed() const;                  // the subcommands that were: "campaign submit"; or ""

  // The command and all below it as JSON: {name, says, footer, flags: [{names, says, takes, words,
  // default, required}], places: [the same], commands: [...]}; `words` are the values that there
  // are, where they are few. Every program prints it with
  // --describe alone; completion and man pages are made of it.
  std::string described() const;

  // Nothing where the words are good; otherwise help or the reason is printed and this is the exit
  // code.
  std::optional<int> parse(int argc, const char* const* argv);
  std::optional<int> parse(const std::vector<std::string>& words);

 private:
  struct Inside;
  explicit Command(CLI::App& app);
  Flag* keep(CLI::Option& option);

  std::unique_ptr<Inside> inside_;
};

}  // namespace freshet
