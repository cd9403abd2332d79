// Any bytes in the place of the identity file are refused as corrupt: only the owner's seal opens,
// and a seal that opened would have been made with the seal key.

#include "crypto/key_file.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/check.h"

namespace freshet {
namespace {

struct Folder {
  Path path;
  Folder() {
    std::string text = (std::filesystem::temp_directory_path() / "freshet-fuzz-XXXXXX").string();
    CHECK(::mkdtemp(text.data()) != nullptr);
    path = text;
    ::unsetenv("FRESHET_SEAL_KEY");
    CHECK(write_file_durably(path / "seal.key", Bytes(32), 0600).has_value());
    CHECK(write_file_durably(path / "identity.key", {}, 0600).has_value());
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace
}  // namespace freshet

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  static const Folder folder;
  std::ofstream(folder.path / "identity.key", std::ios::binary | std::ios::trunc)
      << as_text({data, size});
  const auto ring = load_or_make_keys(folder.path);
  CHECK(!ring.has_value());
  CHECK(ring.error().code == Code::kCorrupt, "{}", ring.error().what);
  return 0;
}
