#pragma once
// Writes the folders of text that the demo hands out: DIR/private/<node>/*.txt for every node and
// DIR/public/*.txt. Each folder holds about as many bytes as asked for, taken evenly from the whole
// of its source and cut at line ends.

#include <cstddef>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "cli/demo/sources.h"

namespace freshet::demo {

struct TextSizes {
  std::size_t private_bytes;  // a node
  std::size_t public_bytes;   // in all
};

// One node's part of the demo.
struct NodeText {
  std::string name, domain;
  Path folder;
};

// The text of one source, unpacked, without markup, at most `bytes` of it.
struct TextPart {
  std::string name;
  std::string text;
};
Result<std::vector<TextPart>> read_source(const Source& source, const TextRoots& roots,
                                          std::size_t bytes);

// `count` private folders below `dir`. REQUIRES: count <= private_sources().size()
Result<std::vector<NodeText>> write_private_text(const Path& dir, const TextRoots& roots,
                                                 std::size_t count, std::size_t bytes_each);

Result<Path> write_public_text(const Path& dir, const TextRoots& roots, std::size_t bytes);

// The subfolders of a person's own `data`, one a node, sorted by name. kBadInput for fewer than
// two.
Result<std::vector<NodeText>> list_own_text(const Path& data);

}  // namespace freshet::demo
