#include "tests/simulations/mutants.h"

#include <algorithm>
#include <memory>

namespace freshet::sim {
namespace {

using campaign::Campaign;
using campaign::Event;
using campaign::Step;

round::Round* open_round(Campaign& c) { return const_cast<round::Round*>(campaign::open_round(c)); }

round::Member* member(round::Round* round, NodeId node) {
  return round == nullptr ? nullptr : const_cast<round::Member*>(round::find(*round, node));
}

template <class T>
T* find_effect(Step& step) {
  for (campaign::Effect& effect : step.effects)
    if (auto* match = std::get_if<T>(&effect)) return match;
  return nullptr;
}

template <class T>
void drop_effects(Step& step) {
  std::erase_if(step.effects,
                [](const campaign::Effect& effect) { return std::holds_alternative<T>(effect); });
}

// The real step, and then `spoil(event, step)`.
template <class Spoil>
Machines spoiled(Spoil spoil) {
  Machines machines;
  machines.campaign = [spoil](Campaign state, const Event& event) {
    Step step = campaign::step(std::move(state), event);
    spoil(event, step);
    return step;
  };
  return machines;
}

// ---- of the coordinator

Machines takes_the_last_upload() {  // in place of the first
  return spoiled([](const Event& event, Step& step) {
    const auto* uploaded = std::get_if<campaign::Uploaded>(&event);
    round::Round* round = uploaded != nullptr ? open_round(step.next) : nullptr;
    round::Member* known = round != nullptr && round->plan.id == uploaded->round
                               ? member(round, uploaded->node)
                               : nullptr;
    if (known == nullptr || !known->upload || *known->upload == uploaded->upload) return;
    known->upload = uploaded->upload;
    step.accepted = step.durable = true;
  });
}

Machines adds_a_node_twice() {
  return spoiled([](const Event&, Step& step) {
    auto* sum = find_effect<campaign::AddAndStep>(step);
    if (sum != nullptr) sum->survivors.push_back(sum->survivors.front());
  });
}

Machines leaves_a_survivor_out() {
  return spoiled([](const Event&, Step& step) {
    auto* sum = find_effect<campaign::AddAndStep>(step);
    if (sum != nullptr && sum->survivors.size() > 1) sum->survivors.pop_back();
  });
}

Machines lets_strangers_in() {
  Machines machines;
  machines.campaign = [](Campaign state, const Event& event) {
    const auto* uploaded = std::get_if<campaign::Uploaded>(&event);
    auto* collecting = std::get_if<campaign::Collecting>(&state.phase);
    if (uploaded != nullptr && collecting != nullptr &&
        collecting->round.plan.id == uploaded->round) {
      auto& cohort = collecting->round.cohort;
      auto at = std::lower_bound(cohort.begin(), cohort.end(), uploaded->node,
                                 [](const round::Member& m, NodeId node) { return m.node < node; });
      if (at == cohort.end() || at->node != uploaded->node)
        cohort.insert(at, round::Member{uploaded->node, {}, false});
    }
    return campaign::step(std::move(state), event);
  };
  return machines;
}

template <class Forgotten>
Machines forgets_to_journal() {
  return spoiled([](const Event& event, Step& step) {
    if (std::holds_alternative<Forgotten>(event)) step.durable = false;
  });
}

Machines skips_survivors_min() {
  return spoiled([](const Event& event, Step& step) {
    auto* collecting = std::get_if<campaign::Collecting>(&step.next.phase);
    if (collecting != nullptr && std::holds_alternative<campaign::RoundOpened>(event))
      collecting->round.plan.survivors_min = 1;
  });
}

Machines ignores_deadlines() {
  Machines machines;
  machines.campaign = [](Campaign state, const Event& event) {
    if (std::holds_alternative<campaign::DeadlinePassed>(event))
      return Step{std::move(state), {}, false, false};
    return campaign::step(std::move(state), event);
  };
  return machines;
}

Machines draws_its_own_chance() {  // instead of the event's seed: a replay draws another cohort
  Machines machines;
  auto draws = std::make_shared<std::uint64_t>(0);
  machines.campaign = [draws](Campaign state, const Event& event) {
    if (const auto* opened = std::get_if<campaign::RoundOpened>(&event))
      return campaign::step(std::move(state), campaign::RoundOpened{opened->now, ++*draws});
    return campaign::step(std::move(state), event);
  };
  return machines;
}

Machines reads_its_own_clock() {  // so to say: what it does depends on what no event says
  Machines machines;
  auto ticks = std::make_shared<std::int64_t>(0);
  machines.campaign = [ticks](Campaign state, const Event& event) {
    Step step = campaign::step(std::move(state), event);
    if (auto* collecting = std::get_if<campaign::Collecting>(&step.next.phase))
      if (std::holds_alternative<campaign::RoundOpened>(event))
        collecting->round.deadline.ms += ++*ticks;
    return step;
  };
  return machines;
}

Machines publishes_without_closing() {  // version and round in two steps
  Machines machines;
  machines.campaign = [](Campaign state, const Event& event) {
    if (!std::holds_alternative<campaign::Summed>(event))
      return campaign::step(std::move(state), event);
    const campaign::Phase before = state.phase;
    Step step = campaign::step(std::move(state), event);
    if (step.accepted) step.next.phase = before;
    return step;
  };
  return machines;
}

Machines opens_with_whoever_is_there() {  // ready or not
  return spoiled([](const Event& event, Step& step) {
    auto* collecting = std::get_if<campaign::Collecting>(&step.next.phase);
    if (collecting == nullptr || !std::holds_alternative<campaign::RoundOpened>(event)) return;
    std::vector<NodeId> everybody;
    for (const auto& [id, node] : step.next.nodes) everybody.push_back(id);
    collecting->round = round::begin(collecting->round.plan, collecting->round.deadline, everybody);
  });
}

Machines forgets_spoiled() {  // adds the same unusable updates again and again
  Machines machines;
  machines.campaign = [](Campaign state, const Event& event) {
    if (!std::holds_alternative<campaign::Spoiled>(event))
      return campaign::step(std::move(state), event);
    Step step{std::move(state), {}, false, false};
    const round::Round* round = campaign::open_round(step.next);
    if (round != nullptr && std::holds_alternative<campaign::Summing>(step.next.phase))
      step.effects.push_back(
          campaign::AddAndStep{round->plan.id, round->plan.base, round::survivors(*round)});
    return step;
  };
  return machines;
}

Machines never_tells_the_end() {
  return spoiled([](const Event&, Step& step) { drop_effects<campaign::SendFinished>(step); });
}

Machines charges_the_honest() {  // late is not a lie
  return spoiled([](const Event& event, Step& step) {
    const auto* uploaded = std::get_if<campaign::Uploaded>(&event);
    const auto* refused = find_effect<campaign::SendRefused>(step);
    if (uploaded == nullptr || refused == nullptr || refused->code != Code::kExpired) return;
    auto node = step.next.nodes.find(uploaded->node);
    if (node == step.next.nodes.end() || node->second.offences > 0) return;
    ++node->second.offences;
    step.accepted = step.durable = true;
  });
}

// ---- of the node

template <class Spoil>
Machines spoiled_session(Spoil spoil) {
  Machines machines;
  machines.session = [spoil](session::Session state, const session::Event& event) {
    return spoil(std::move(state), event);
  };
  return machines;
}

Machines trains_again_after_a_restart() {
  return spoiled_session([](session::Session state, session::Event event) {
    if (auto* restarted = std::get_if<session::Restarted>(&event)) restarted->contribution.reset();
    return session::step(std::move(state), event);
  });
}

Machines trains_again_when_a_round_is_aborted() {
  return spoiled_session([](session::Session state, const session::Event& event) {
    const bool had = std::holds_alternative<session::Waiting>(state.phase);
    session::Step step = session::step(std::move(state), event);
    const auto* ready = std::get_if<session::Ready>(&step.next.phase);
    if (!had || ready == nullptr) return step;
    const session::Base base = ready->contribution.base;
    step.next.phase = session::Training{base, true};
    step.effects = {session::StartTraining{base}};
    return step;
  });
}

Machines uploads_what_it_does_not_hold() {
  return spoiled_session([](session::Session state, const session::Event& event) {
    session::Step step = session::step(std::move(state), event);
    for (session::Effect& effect : step.effects)
      if (auto* upload = std::get_if<session::SendUpload>(&effect)) upload->blob[0] ^= 1;
    return step;
  });
}

Machines waits_for_ever() {  // for a receipt that got lost
  return spoiled_session([](session::Session state, const session::Event& event) {
    if (std::holds_alternative<session::Waiting>(state.phase) &&
        !std::holds_alternative<session::Restarted>(event))
      return session::Step{std::move(state), {}, false};
    return session::step(std::move(state), event);
  });
}

}  // namespace

std::vector<Mutant> mutants() {
  return {{"takes the last upload", takes_the_last_upload()},
          {"adds a node twice", adds_a_node_twice()},
          {"leaves a survivor out", leaves_a_survivor_out()},
          {"lets strangers in", lets_strangers_in()},
          {"forgets to journal uploads", forgets_to_journal<campaign::Uploaded>()},
          {"forgets to journal readiness", forgets_to_journal<campaign::Ready>()},
          {"forgets to journal versions", forgets_to_journal<campaign::Summed>()},
          {"skips survivors_min", skips_survivors_min()},
          {"ignores deadlines", ignores_deadlines()},
          {"draws its own chance", draws_its_own_chance()},
          {"reads its own clock", reads_its_own_clock()},
          {"publishes without closing the round", publishes_without_closing()},
          {"opens with whoever is there", opens_with_whoever_is_there()},
          {"forgets what is spoiled", forgets_spoiled()},
          {"never tells the end", never_tells_the_end()},
          {"charges the honest", charges_the_honest()},
          {"trains again after a restart", trains_again_after_a_restart()},
          {"trains again when a round is aborted", trains_again_when_a_round_is_aborted()},
          {"uploads what it does not hold", uploads_what_it_does_not_hold()},
          {"waits for ever", waits_for_ever()}};
}

}  // namespace freshet::sim
