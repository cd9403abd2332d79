#include "simulations/learning/scratch_folder.h"

#include <cstdlib>

namespace freshet {

Result<ScratchFolder> ScratchFolder::make() {
  std::error_code error;
  std::string name = (std::filesystem::temp_directory_path(error) / "freshet-XXXXXX").string();
  if (error || ::mkdtemp(name.data()) == nullptr)
    return tl::unexpected(errno_error("cannot create", name));
  return ScratchFolder(Path(name));
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace freshet
