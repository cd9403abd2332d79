#pragma once
// The auditor: the one party of the demo that reads every private folder. It asks `freshet model
// eval` for the cloud model's bits per byte on the held-out part of each folder, and gives the
// means over folders.

#include <vector>

#include "base/files.h"
#include "cli/demo/report.h"
#include "cli/demo/stage.h"

namespace freshet::demo {

struct AuditPlan {
  Path llm;
  Path public_only_adapter, adapter;
  std::vector<Path> folders;  // each with the text of one node or of several
  int window;
};

Result<CloudFigures> audit_cloud_model(Stage& stage, const AuditPlan& plan);

}  // namespace freshet::demo
