#pragma once
// The auditor: the one party of the demo that reads every private folder. It asks `freshet model
// eval` for the cloud model's bits per byte on the held-out part of each folder.

#include <vector>

#include "base/files.h"
#include "cli/demo/report.h"
#include "cli/demo/settings.h"
#include "cli/demo/stage.h"

namespace freshet::demo {

// What nobody but an experiment can have: the cloud model, tuned on all private text in one place.
// A verb of the stage called "oracle", which ends.
struct OraclePlan {
  Path llm, data, out;
  const Settings& settings;
};
Result<void> start_oracle(Stage& stage, const OraclePlan& plan);

struct AuditPlan {
  Path llm;
  Path public_only_adapter, adapter, oracle;
  Path proxy_base,
      proxy_tuned;  // the small model and its adapter, which write along with `adapter`
  float proxy_weight = 0;
  std::vector<Path> folders;  // one for each node
  int window;
};

// By folder.
Result<std::vector<CloudFigures>> audit_cloud_model(Stage& stage, const AuditPlan& plan);

CloudFigures mean_of(const std::vector<CloudFigures>& figures);

}  // namespace freshet::demo
