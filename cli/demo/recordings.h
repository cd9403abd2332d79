#pragma once
// Puts together what the audit of the wire needs: the private files with their token ids, and
// everything that was recorded, both outside the encryption (by the relay) and as plain messages
// (by the nodes themselves).

#include "cli/demo/private_text.h"
#include "cli/demo/report.h"

namespace freshet::demo {

struct RecordingFolders {
  Path wire;                 // of the relay
  std::vector<Path> frames;  // of each node
};

Result<WireFigures> audit_recordings(const RecordingFolders& folders,
                                     const std::vector<NodeText>& nodes, const Path& slm);

}  // namespace freshet::demo
