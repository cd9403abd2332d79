#pragma once
// The auditor: the one party of the demo that reads every private folder. It asks `freshet model
// eval` for the cloud model's bits per byte on the held-out part of each, and gives the means.

#include "cli/demo/private_text.h"
#include "cli/demo/report.h"
#include "cli/demo/stage.h"

namespace freshet::demo {

struct AuditPlan {
  Path llm;
  Path public_only_adapter, adapter;
  int window;
};

Result<CloudFigures> audit_cloud_model(Stage& stage, const AuditPlan& plan,
                                       const std::vector<NodeText>& nodes);

}  // namespace freshet::demo
