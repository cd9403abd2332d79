#pragma once
// The demo as a script over the verbs that a person uses: coordinator, nodes, campaign, auditor,
// audit of the wire.

#include <optional>

#include "base/stop_signal.h"
#include "cli/demo/campaign.h"
#include "cli/demo/report.h"

namespace freshet::demo {

struct DemoOptions {
  Path dir = "demo";
  std::optional<Path> data;  // a person's own text, one subfolder a node
  std::size_t nodes = kNodesDefault;
  Method method = Method::kRolora;
  ServerRule rule = Sgd{};
  std::uint64_t seed = 1;
  Settings settings = kFull;
  Mode mode = Mode::kMasked;
  bool keep = false;    // the recordings of the wire
  std::string command;  // that was typed
};

// What is shown while it runs goes to `screen`. Everything that was started has ended when this
// returns.
Result<DemoReport> run_demo(const DemoOptions& options, const StopSignal& stop, std::FILE* screen);

}  // namespace freshet::demo
