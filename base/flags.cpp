#include "base/flags.h"

#include <CLI/CLI.hpp>
#include <deque>

#include "base/exit_code.h"
#include "base/json.h"

namespace freshet {
namespace {

// "TEXT:{constant,cosine}" has two words; "INT:INT in [1 - 64]" has none.
Json words_of(const std::string& type) {
  Json words = Json::array();
  const std::size_t begin = type.find('{'), end = type.rfind('}');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return words;
  for (const std::string& word : CLI::detail::split(type.substr(begin + 1, end - begin - 1), ','))
    words.push_back(word);
  return words;
}

Json describe(const CLI::Option& option) {
  Json names = Json::array();
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  if (names.empty()) names.push_back(option.get_name());
  const std::string type = option.get_type_size() == 0 ? "" : option.get_type_name();
  return Json{{"names", names},
              {"says", option.get_description()},
              {"takes", type.substr(0, type.find(':'))},
              {"words", words_of(type)},
              {"default", option.get_default_str()},
              {"required", option.get_required()}};
}

Json describe(const CLI::App& app) {
  Json flags = Json::array(), places = Json::array(), commands = Json::array();
  for (const CLI::Option* option : app.get_options())
    (option->get_positional() ? places : flags).push_back(describe(*option));
  for (const CLI::App* command : app.get_subcommands(nullptr))
    commands.push_back(describe(*command));
  return Json{{"name", app.get_name()},     {"says", app.get_description()},
              {"footer", app.get_footer()}, {"flags", flags},
              {"places", places},           {"commands", commands}};
}

}  // namespace

Flag* Flag::required() {
  option_->required();
  return this;
}

Flag* Flag::show_default() {
  option_->capture_default_str();
  return this;
}

Flag* Flag::type_name(const std::string& word) {
  option_->type_name(word);
  return this;
}

Flag* Flag::one_of(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
  return this;
}

Flag* Flag::existing_file() {
  option_->check(CLI::ExistingFile);
  return this;
}

Flag* Flag::delimiter(char between) {
  option_->delimiter(between);
  return this;
}

Flag* Flag::needs(const Flag* other) {
  option_->needs(other->option_);
  return this;
}

Flag* Flag::excludes(const Flag* other) {
  option_->excludes(other->option_);
  return this;
}

Flag* Flag::within(std::int64_t low, std::int64_t high) {
  option_->check(CLI::Range(low, high));
  return this;
}

Flag* Flag::within(double low, double high) {
  option_->check(CLI::Range(low, high));
  return this;
}

Flag* Flag::check(std::function<std::string(const std::string&)> wrong, const std::string& says) {
  option_->check(CLI::Validator(
      [wrong = std::move(wrong)](const std::string& text) { return wrong(text); }, says));
  return this;
}

bool Flag::given() const { return option_->count() > 0; }

void missing_flags(const std::string& which) { throw CLI::RequiredError(which); }

void refuse_flag(const std::string& name, const std::string& why) {
  throw CLI::ValidationError(name, why);
}

struct Command::Inside {
  std::unique_ptr<CLI::App> own;  // of the program; a subcommand is its program's
  CLI::App* app;
  std::deque<Flag> flags;
  std::deque<std::unique_ptr<Command>> subcommands;
};

Command::Command(const std::string& says, const std::string& name)
    : inside_(new Inside{std::make_unique<CLI::App>(says, name), nullptr, {}, {}}) {
  inside_->app = inside_->own.get();
}

Command::Command(CLI::App& app) : inside_(new Inside{nullptr, &app, {}, {}}) {}
Command::~Command() = default;

Flag* Command::keep(CLI::Option& option) { return &inside_->flags.emplace_back(option); }

template <class T>
Flag* Command::add_option(const std::string& name, T& value, const std::string& says) {
  CLI::Option& option = *inside_->app->add_option(name, value, says);
  if (std::is_same_v<T, std::vector<std::string>> || std::is_same_v<T, std::vector<int>>)
    option.allow_extra_args(false);
  return keep(option);
}

#define FRESHET_FLAG_OF(T) \
  template Flag* Command::add_option(const std::string&, T&, const std::string&)
FRESHET_FLAG_OF(std::string);
FRESHET_FLAG_OF(int);
FRESHET_FLAG_OF(std::uint32_t);
FRESHET_FLAG_OF(std::int64_t);
FRESHET_FLAG_OF(std::uint64_t);
FRESHET_FLAG_OF(float);
FRESHET_FLAG_OF(double);
FRESHET_FLAG_OF(std::optional<int>);
FRESHET_FLAG_OF(std::optional<std::uint32_t>);
FRESHET_FLAG_OF(std::optional<float>);
FRESHET_FLAG_OF(std::optional<double>);
FRESHET_FLAG_OF(std::vector<std::string>);
FRESHET_FLAG_OF(std::vector<int>);
#undef FRESHET_FLAG_OF

Flag* Command::add_flag(const std::string& name, bool& value, const std::string& says) {
  return keep(*inside_->app->add_flag(name, value, says));
}

Command* Command::add_subcommand(const std::string& name, const std::string& says) {
  CLI::App* app = inside_->app->add_subcommand(name, says);
  return inside_->subcommands.emplace_back(new Command(*app)).get();
}

void Command::require_subcommand() { inside_->app->require_subcommand(1); }
void Command::footer(const std::string& text) { inside_->app->footer(text); }
void Command::callback(std::function<void()> run) { inside_->app->callback(std::move(run)); }
bool Command::given() const { return inside_->app->parsed(); }
bool Command::given(const std::string& flag) const { return inside_->app->count(flag) > 0; }

std::string Command::typed() const {
  std::string words;
  for (const CLI::App* app = inside_->app; !app->get_subcommands().empty();) {
    app = app->get_subcommands().front();
    words += (words.empty() ? "" : " ") + app->get_name();
  }
  return words;
}

std::optional<int> Command::parse(int argc, const char* const* argv) {
  return parse(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}

std::string Command::described() const { return to_text(describe(*inside_->app)); }

std::optional<int> Command::parse(const std::vector<std::string>& words) {
  if (words == std::vector<std::string>{"--describe"}) {
    std::puts(described().c_str());
    return 0;
  }
  try {
    inside_->app->parse(
        std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes them from the back
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    return inside_->app->exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
}

}  // namespace freshet
