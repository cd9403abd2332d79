#pragma once
// The machines that a simulation runs. Tests put broken ones in their place, to see that the invariants notice.

#include <functional>

#include "coordinator/campaign.h"
#include "edge_node/session.h"

namespace freshet::sim {

struct Machines {
  std::function<campaign::Step(campaign::Campaign, const campaign::Event&)> campaign =
      [](campaign::Campaign state, const campaign::Event& event) { return campaign::step(std::move(state), event); };
  std::function<session::Step(session::Session, const session::Event&)> session =
      [](session::Session state, const session::Event& event) { return session::step(std::move(state), event); };
};

}  // namespace freshet::sim
