#pragma once
// What the sources of the campaign machine share: a campaign being stepped.

#include "coordinator/campaign.h"

namespace freshet::campaign {

struct Machine {
  Campaign c;
  std::vector<Effect> effects;
  bool accepted = false, durable = false;

  void committed() { accepted = durable = true; }
};

template <class Phase>
struct In {};  // the phase's type; its data is in the machine, where the handler may replace it

// Keeps when enough nodes were ready, after either may have changed.
void note_ready(Campaign& c, Instant now);
void tell_all(Machine& m);
void step_round(Machine& m, const round::Event& event, Instant now);

// campaign_versions.cpp: what ends a round, and what follows

// `into`: the version that a published round goes into, where that is not the current one yet.
void close(Machine& m, const round::Round& round, bool published, const Digest& sum = {},
           VersionId into = {});
// Who dealt shares in this round contributes from its base no second time.
void spend(Machine& m, const round::Round& round);
void gather(Machine& m,
            Instant now);  // for the next round, or after the last one ends the campaign
// `round` came to nothing and was closed: the next one is gathered for, or there were too many.
void try_again(Machine& m, const std::string& why, Instant now);

void on(Machine& m, In<Summing>, const Summed& event);
void on(Machine& m, In<Summing>, const GroupSummed& event);
void on(Machine& m, In<Summing>, const HeldBack& event);
void on(Machine& m, In<Gathering>, const GroupsClosed& event);
void on(Machine& m, In<Combining>, const Combined& event);
void on(Machine& m, In<Combining>, const HeldBack& event);
void roll_back(Machine& m, const RolledBack& event);

}  // namespace freshet::campaign
