#include "cli/demo/who_saw_what.h"

#include <fmt/core.h>

namespace freshet::demo {
namespace {

constexpr std::string_view kTrusted =
    "This campaign ran in the mode \"trusted-coordinator\": the coordinator opened each node's "
    "update before it added it. It never had the text or the losses, but a single update can tell "
    "something about the text it was trained on, so in this mode the coordinator must be trusted "
    "with that. A stranger on the wire saw who spoke with whom, when, and how many bytes, and "
    "nothing of their content. The other nodes saw the published adapters.";

constexpr std::string_view kMasked =
    "This campaign ran in the mode \"masked\": every node hid its update under masks that cancel "
    "only in the sum, so the coordinator could open the sum of each round and no single update. "
    "It saw which nodes took part, when, and how many bytes they sent. It could not have shown "
    "some nodes another model, opened a sum of too few, or invented members: each node checks the "
    "model, the survivors and the certificates itself, and an authority that is not the "
    "coordinator gives those. A stranger on the wire saw who spoke with whom, when, and how many "
    "bytes, and nothing of their content. The other nodes saw the same published adapters, each "
    "other's certificates, and sealed boxes that tell nothing unless a quorum of {} of {} nodes "
    "opens the sum together. What the sum of {} nodes itself tells is in the adapters: only noise "
    "({}) bounds that.";

}  // namespace

std::string who_saw_what(const DemoReport& report) {
  if (report.mode != "masked") return std::string(kTrusted);
  return fmt::format(kMasked, report.quorum, report.nodes.size(), report.nodes.size(),
                     report.noise ? "this campaign had it" : "this campaign had none");
}

}  // namespace freshet::demo
