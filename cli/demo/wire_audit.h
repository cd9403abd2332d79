#pragma once
// How much of the private text can be seen in what left the nodes: the longest run of bytes of any
// private file in any recording, as raw text, as token ids of 16 or 32 bits (little-endian), as
// hexadecimal and as base64. A run counts the private bytes that it stands for; a run of token ids
// counts the bytes of the ids, since two ids that meet by chance may spell a long word.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace freshet::demo {

struct PrivateFile {
  std::string name;
  ByteView text;
  std::vector<std::int32_t> ids;  // the text as its node's tokenizer encodes it
};

struct Recording {
  std::string name;
  ByteView bytes;
};

struct WireFinding {
  std::size_t bytes = 0;
  std::string form;       // "text", "16-bit token ids", "32-bit token ids", "hexadecimal", "base64"
  std::string file;       // the private file
  std::string recording;  // where it was seen
};

WireFinding audit_wire(std::span<const PrivateFile> files, std::span<const Recording> recordings);

}  // namespace freshet::demo
