#pragma once
// Adapters and outcomes of an experiment in a folder, so that one that was broken off goes on where
// it was: by seed, by way, and by a digest of every choice, so that another recipe finds nothing.

#include <optional>
#include <string>

#include "base/files.h"
#include "simulations/adapt/outcome.h"
#include "simulations/adapt/recipe.h"

namespace freshet {

class ExperimentFolder {
 public:
  ExperimentFolder() = default;  // keeps nothing
  ExperimentFolder(Path folder, const AdaptRecipe& recipe, std::string_view models);

  Result<std::optional<std::vector<float>>> adapter(const std::string& name) const;
  Result<void> keep(const std::string& name, const std::vector<float>& adapter) const;

  Result<std::optional<WayOutcome>> outcome(const std::string& name) const;
  Result<void> keep(const WayOutcome& outcome) const;

 private:
  Path path_of(const std::string& name, std::string_view ending) const;
  Path folder_;
  std::string recipe_;  // a digest, in hex
};

}  // namespace freshet
