#pragma once
// Which text of which Debian packages the demo reads: eight private domains, one a node, and public
// text that no node sees. The pre-training corpus of models/ has none of these packages.

#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace freshet::demo {

enum class Form { kPlain, kDictionary, kFortunes, kPod, kRoff, kBible };

struct Source {
  std::string name;    // of the node
  std::string domain;  // for people
  std::string package;
  Form form;
  std::vector<std::string> patterns;  // glob patterns below the root, in order of preference
};

const std::vector<Source>& private_sources();
const std::vector<Source>& public_sources();

// Where unpacked packages may lie: the system itself, then $FRESHET_DEMO_TEXT or demo-text beside
// the build folder of the binary (deploy/demo_text.sh fills it, a folder a package).
struct TextRoots {
  Path system = "/";
  Path unpacked;
};
TextRoots text_roots();

// The files of one source, from the first root that has any. kBadInput, naming the package and what
// to do.
Result<std::vector<Path>> find_files(const Source& source, const TextRoots& roots);

}  // namespace freshet::demo
