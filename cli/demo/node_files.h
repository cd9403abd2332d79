#pragma once
// What the nodes wrote for their own people: metrics.jsonl (a line for every version they
// evaluated) and report.json.

#include <vector>

#include "base/files.h"
#include "cli/demo/report.h"

namespace freshet::demo {

// Bits per byte by version; empty while there is no file. Lines that are not whole yet are left for
// the next time.
std::vector<Figure> read_metrics(const Path& node_folder);

// Fills what report.json says. kBadInput where it is missing or no report.
Result<void> read_node_report(const Path& node_folder, NodeFigures& node);

}  // namespace freshet::demo
