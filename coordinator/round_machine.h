#pragma once
// What round.cpp and round_masked.cpp share: a round being stepped.

#include "coordinator/round.h"

namespace freshet::round {

struct Machine {
  Round round;
  std::vector<Effect> effects;
  bool accepted = false, progress = false;

  Member* find(NodeId node) { return const_cast<Member*>(round::find(round, node)); }
  void refuse(NodeId node, Code code, std::string why, bool offence) {
    effects.emplace_back(std::in_place_type<Refuse>, node, code, std::move(why), offence);
  }
};

std::uint32_t answered(const Round& round);  // members with an upload

// Uploads of the cohort that are no news: the same again, another one, or one of a stranger. False:
// it is news.
bool answer_known(Machine& m, const Uploaded& event);

// Any event on a masked round.
void step_masked(Machine& m, const Event& event);

}  // namespace freshet::round
