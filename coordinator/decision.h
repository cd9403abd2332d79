#pragma once
// Which events of a campaign are decisions, in the words of the audit log. What a node said or sent
// is none; what became of it is.

#include <optional>
#include <string>

#include "base/json.h"
#include "coordinator/campaign_events.h"

namespace freshet {

struct Decision {
  std::string what;
  Json about;  // an object, a few hundred bytes of text
};

std::optional<Decision> decision_of(const campaign::Event& event);

}  // namespace freshet
