#pragma once
// The regular expressions by which a PEFT adapter names modules, matched within bounds: they come from strangers.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace freshet {

class ModulePatterns {
 public:
  // Each matches a module's full name or the end of it after a dot, as Python's re.match(r"(.*\.)?(PATTERN)$").
  // kBadInput for what is no regular expression, too long or too many.
  static Result<ModulePatterns> compile(std::span<const std::string> patterns);

  // One that must match the full name, as Python's re.fullmatch.
  static Result<ModulePatterns> compile_full(const std::string& pattern);

  // Index of the first pattern that matches. kBadInput where matching takes more steps than a name of a module can need.
  Result<std::optional<std::size_t>> first_match(std::string_view module) const;

  ModulePatterns();
  ModulePatterns(ModulePatterns&&) noexcept;
  ModulePatterns& operator=(ModulePatterns&&) noexcept;
  ~ModulePatterns();

 private:
  struct Compiled;
  Result<void> add(const std::string& pattern, const std::string& whole);
  std::vector<Compiled> compiled_;
};

}  // namespace freshet
