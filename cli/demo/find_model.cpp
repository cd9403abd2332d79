#include "cli/demo/find_model.h"

#include <cstdlib>

namespace freshet::demo {

Result<Path> find_model(const std::string& name) {
  std::vector<Path> places;
  if (const char* chosen = std::getenv("FRESHET_MODELS")) places.emplace_back(chosen);
  places.push_back(binary_folder() / "../../../models");
  places.push_back(binary_folder() / "../share/freshet/models");
  for (const Path& place : places) {
    std::error_code error;
    if (std::filesystem::exists(place / name / "config.json", error))
      return std::filesystem::weakly_canonical(place / name, error);
  }
  return fail(Code::kBadInput,
              "no model " + name + " in " + places.back().lexically_normal().string() +
                  " or the source tree; set FRESHET_MODELS to the folder that holds it");
}

}  // namespace freshet::demo
