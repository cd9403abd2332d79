#include "edge_node/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/limits.h"

namespace freshet::exchange {
namespace {

struct Machine {
  Exchange x;
  std::vector<Effect> effects;
  bool accepted = false;

  template <class T>
  void enter(T phase, Instant now) {
    x.phase = std::move(phase);
    made_progress(now);
  }
  void made_progress(Instant now) {
    x.progress_at = now;
    x.retries = 0;
    x.retry_at = now + limits::kRetryMs;
    accepted = true;
  }
  void emit(Effect effect) {
    effects.push_back(std::move(effect));
    accepted = true;
  }
};

template <class T>
struct In {};  // the phase's type; its data is in the machine, where the handler may replace it

template <class T>
T& now_in(Machine& m) {
  return std::get<T>(m.x.phase);
}

// ---- lists of members

bool is_list_of(const Members& list, std::uint32_t members) {
  return std::is_sorted(list.begin(), list.end(), std::less_equal<>()) &&
         (list.empty() || list.back() < members);
}
bool holds(const Members& list, std::uint32_t member) {
  return std::binary_search(list.begin(), list.end(), member);
}
bool holds_all(const Members& list, const Members& part) {
  return std::includes(list.begin(), list.end(), part.begin(), part.end());
}
Members both(const Members& a, const Members& b) {
  Members result;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
  return result;
}

// ---- how an exchange ends

Choice choice_of(const Phase& phase) {
  if (const auto* over = std::get_if<Over>(&phase)) return over->choice;
  const bool signed_survivors =
      std::holds_alternative<Agreed>(phase) || std::holds_alternative<Revealed>(phase);
  return signed_survivors ? Choice::kSurvivors : Choice::kNone;
}

void end(Machine& m, Ending ending, std::string why) {
  const bool rostered = !std::holds_alternative<Advertised>(m.x.phase);
  m.x.phase = Over{ending, std::move(why), choice_of(m.x.phase), rostered};
  m.emit(WipeKeys{});
}
void refuse(Machine& m, Declined declined, std::string why) {
  m.emit(SendDecline{declined});
  end(m, Ending::kRefused, std::move(why));
}

// ---- the node's own rules

using Verdict = std::optional<std::string>;  // why not

// In `here` (sharers or survivors) enough are honest even when all that may be corrupt are among
// them.
Verdict too_few(const Members& here, const Roster& roster, const Rules& rules,
                std::string_view what) {
  const auto count = static_cast<std::uint32_t>(here.size());
  if (count < roster.quorum)
    return fmt::format("{} {} of {} members are fewer than the {} that the round takes", count,
                       what, roster.members, roster.quorum);
  const std::uint32_t corrupt = corrupt_among(roster.members, rules.corrupt);
  if (count < std::uint64_t{corrupt} + rules.honest_min)
    return fmt::format(
        "{} {} of {} members: this node's policy wants {} honest ones beside {} that may not be",
        count, what, roster.members, rules.honest_min, corrupt);
  const std::size_t near = both(here, roster.neighbours).size() + 1;
  if (near < roster.shares)
    return fmt::format("{} of this node's neighbours are among the {}: it takes {}", near - 1, what,
                       roster.shares - 1);
  return std::nullopt;
}

bool is_whole(const Roster& roster) {
  const Members& near = roster.neighbours;
  return roster.own < roster.members && roster.quorum <= roster.members &&
         is_list_of(near, roster.members) && !holds(near, roster.own) && roster.shares >= 2 &&
         roster.shares <= near.size() + 1;
}

Verdict unfit(const Roster& roster, const Rules& rules) {
  if (!is_whole(roster)) return "the roster does not fit together";
  if (!quorum_is_safe(roster.quorum, roster.members, rules.corrupt))
    return fmt::format(
        "{} of {} signatures would end the round: with {} corrupt members two endings could find "
        "as many",
        roster.quorum, roster.members, corrupt_among(roster.members, rules.corrupt));
  Members all(roster.members);
  for (std::uint32_t i = 0; i < roster.members; ++i) all[i] = i;
  if (auto why = too_few(all, roster, rules, "members in the roster")) return why;
  const auto near = static_cast<std::uint32_t>(roster.neighbours.size()) + 1;
  if (roster.shares <= corrupt_among(near, rules.corrupt))
    return fmt::format("{} shares would rebuild a secret that {} members hold", roster.shares,
                       near);
  return std::nullopt;
}

// ---- one overload for each pair of phase and event that means something

void on(Machine& m, In<Advertised>, const RosterChecked& event) {
  if (auto why = unfit(event.roster, m.x.terms.rules))
    return refuse(m, Declined::kRoster, std::move(*why));
  m.enter(Shared{event.roster}, event.now);
  m.emit(SendShares{});
}

template <class T>
requires requires(T phase) { phase.roster; }
void on(Machine& m, In<T>, const RosterChecked& event) {
  if (event.roster == now_in<T>(m).roster) return;
  refuse(m, Declined::kRoster, "the coordinator sent a second roster for one round");
}

Verdict unfit(const Forwarded& event, const Roster& roster, const Rules& rules) {
  if (!is_list_of(event.sharers, roster.members))
    return "the list of sharers is no part of the roster";
  if (!holds(event.sharers, roster.own)) return "this node's shares are said not to have arrived";
  if (auto why = too_few(event.sharers, roster, rules, "sharers")) return why;
  Members from;
  for (const Box& box : event.boxes) from.push_back(box.from);
  if (from != both(event.sharers, roster.neighbours))
    return "boxes of shares were left out or added on the way";
  return std::nullopt;
}

void on(Machine& m, In<Shared>, const Forwarded& event) {
  const Roster& roster = now_in<Shared>(m).roster;
  if (auto why = unfit(event, roster, m.x.terms.rules))
    return refuse(m, Declined::kRoster, std::move(*why));
  const auto bad = std::find_if(event.boxes.begin(), event.boxes.end(),
                                [](const Box& box) { return !box.good; });
  if (bad != event.boxes.end()) {
    m.emit(SendComplaint{bad->from});
    return end(m, Ending::kFailed,
               fmt::format("the shares of member {} do not open: complained", bad->from));
  }
  m.enter(Masked{roster, event.sharers, false, std::nullopt, {}, 0}, event.now);
  m.emit(SpendBase{});
}

template <class T>
requires requires(T phase) { phase.sharers; }
void on(Machine& m, In<T>, const Forwarded& event) {
  if (event.sharers == now_in<T>(m).sharers) return;
  refuse(m, Declined::kRoster, "the coordinator named other sharers than before");
}

void on(Machine& m, In<Masked>, const BaseSpent& event) {
  Masked& masked = now_in<Masked>(m);
  if (masked.spent) return;
  masked.spent = true;
  m.made_progress(event.now);
  m.emit(MakeFrame{masked.sharers});
}

void send_frame(Machine& m, Masked& masked) {
  for (const std::uint64_t offset : masked.window.next(masked.frame->size))
    m.emit(SendFrame{*masked.frame, offset});
}

void on(Machine& m, In<Masked>, const FrameMade& event) {
  Masked& masked = now_in<Masked>(m);
  if (!masked.spent || masked.frame) return;
  masked.frame = event.frame;
  m.made_progress(event.now);
  send_frame(m, masked);
}

void on(Machine& m, In<Masked>, const ChunkAcked& event) {
  Masked& masked = now_in<Masked>(m);
  if (!masked.frame || event.blob != masked.frame->blob) return;
  if (event.next_offset > masked.frame->size ||
      !masked.window.take_ack(event.next_offset, event.credit, masked.frame->size))
    return;
  m.accepted = true;
  // Going back and forth, or on by a byte at a time, must not keep the round's keys alive.
  const std::uint64_t whole_chunk =
      std::min<std::uint64_t>(masked.arrived + limits::kChunkBytes, masked.frame->size);
  if (event.next_offset > masked.arrived && event.next_offset >= whole_chunk) {
    masked.arrived = event.next_offset;
    const std::int64_t pace = event.now - m.x.progress_at;
    m.made_progress(event.now);  // a slow line is not tried again before its next bytes can be here
    m.x.retry_at = event.now + std::clamp(2 * pace, limits::kRetryMs, limits::kRetryMsMax);
  }
  send_frame(m, masked);
}

void on(Machine& m, In<Masked>, const SurvivorsNamed& event) {
  const Masked& masked = now_in<Masked>(m);
  if (!masked.frame)
    return refuse(m, Declined::kSurvivors,
                  "survivors were named before this node's vector had left");
  const Members& survivors = event.survivors;
  if (!is_list_of(survivors, masked.roster.members) || !holds_all(masked.sharers, survivors))
    return refuse(m, Declined::kSurvivors,
                  "the list of survivors is no part of the list of sharers");
  if (!holds(survivors, masked.roster.own))
    return end(m, Ending::kDropped, "the round goes on without this node's vector");
  if (auto why = too_few(survivors, masked.roster, m.x.terms.rules, "survivors"))
    return refuse(m, Declined::kSurvivors, std::move(*why));
  const Members sharers = masked.sharers;
  m.enter(Agreed{masked.roster, sharers, survivors}, event.now);
  m.emit(SignSurvivors{sharers, survivors});
}

template <class T>
requires requires(T phase) { phase.survivors; }
void on(Machine& m, In<T>, const SurvivorsNamed& event) {
  if (event.survivors != now_in<T>(m).survivors)
    refuse(m, Declined::kSurvivors, "the coordinator named a second list of survivors");
}

Verdict unfit(std::vector<Vote> votes, const Agreed& agreed) {
  if (votes.size() < agreed.roster.quorum)
    return fmt::format("{} signatures under the survivors where it takes {}", votes.size(),
                       agreed.roster.quorum);
  std::sort(votes.begin(), votes.end(),
            [](const Vote& a, const Vote& b) { return a.from < b.from; });
  for (std::size_t i = 0; i < votes.size(); ++i) {
    if (!votes[i].good)
      return fmt::format("the signature of member {} does not fit the survivors", votes[i].from);
    if (i > 0 && votes[i].from == votes[i - 1].from)
      return fmt::format("the signature of member {} counts twice", votes[i].from);
    if (!holds(agreed.survivors, votes[i].from))
      return fmt::format("member {} signed and is no survivor", votes[i].from);
  }
  return std::nullopt;
}

void on(Machine& m, In<Agreed>, const QuorumArrived& event) {
  const Agreed agreed = now_in<Agreed>(m);
  if (auto why = unfit(event.votes, agreed)) return refuse(m, Declined::kQuorum, std::move(*why));
  m.enter(Revealed{agreed.roster, agreed.sharers, agreed.survivors}, event.now);
  m.emit(Reveal{agreed.sharers, agreed.survivors});
  m.emit(WipeKeys{});
}

// ---- aborts: never after survivors were signed

void on(Machine& m, In<Advertised>, const AbortAsked& event) {
  end(m, Ending::kAborted, event.why);
}

template <class T>
requires std::same_as<T, Shared> || std::same_as<T, Masked>
void on(Machine& m, In<T>, const AbortAsked& event) {
  end(m, Ending::kAborted, event.why);
  now_in<Over>(m).choice = Choice::kAbort;
  m.emit(SignAbort{});
}

void on(Machine& m, In<Over>, const AbortAsked&) {
  Over& over = now_in<Over>(m);
  if (!over.rostered || over.choice == Choice::kSurvivors) return;
  over.choice = Choice::kAbort;
  m.emit(SignAbort{});
}

// ---- what comes in any phase

template <class T>
void on(Machine& m, In<T>, const RoundEnded&) {
  if constexpr (!std::same_as<T, Over>) end(m, Ending::kFinished, "");
}

template <class T>
void on(Machine& m, In<T>, const Failed& event) {
  if constexpr (std::same_as<T, Over>) return;
  m.emit(SendDecline{event.declined});
  end(m, event.ending, event.why);
}

// ---- what was sent is sent again

void resend(Machine& m, In<Advertised>) { m.emit(SendAdvert{}); }
void resend(Machine& m, In<Shared>) { m.emit(SendShares{}); }
void resend(Machine& m, In<Masked>) {
  Masked& masked = now_in<Masked>(m);
  if (masked.frame && masked.window.acked < masked.frame->size)
    m.emit(SendFrame{*masked.frame, masked.window.ask_again(masked.frame->size)});
}
void resend(Machine& m, In<Agreed>) {
  const Agreed& agreed = now_in<Agreed>(m);
  m.emit(SignSurvivors{agreed.sharers, agreed.survivors});
}
void resend(Machine& m, In<Revealed>) {
  const Revealed& revealed = now_in<Revealed>(m);
  m.emit(Reveal{revealed.sharers, revealed.survivors});
}
void resend(Machine&, In<Over>) {}

template <class T>
void on(Machine& m, In<T> in, const Reconnected& event) {
  if constexpr (std::same_as<T, Over>) return;
  m.x.retry_at = event.now + limits::kRetryMs;
  m.accepted = true;
  if constexpr (std::same_as<T, Masked>) now_in<Masked>(m).window.connection_lost();
  resend(m, in);
}

template <class T>
void on(Machine& m, In<T> in, const Tick& event) {
  if constexpr (std::same_as<T, Over>) return;
  if (event.now - m.x.progress_at >= m.x.terms.patience_ms)
    return end(m, Ending::kExpired,
               fmt::format("the coordinator said nothing for {} s: this node leaves the round",
                           m.x.terms.patience_ms / 1000));
  if (event.now - m.x.begun_at >= m.x.terms.lifetime_ms)
    return end(m, Ending::kExpired,
               fmt::format("the round has lasted {} s, longer than all of its phases may: this "
                           "node leaves it",
                           m.x.terms.lifetime_ms / 1000));
  if (event.now < m.x.retry_at) return;
  const std::int64_t wait = limits::kRetryMs << std::min<std::uint32_t>(m.x.retries, 16);
  m.x.retry_at = event.now + std::min(wait, limits::kRetryMsMax);
  ++m.x.retries;
  m.accepted = true;
  resend(m, in);
}

void on(Machine&, auto, const auto&) {}  // means nothing here: old, doubled or too early

}  // namespace

std::uint32_t corrupt_among(std::uint32_t members, const Fraction& corrupt) {
  return static_cast<std::uint32_t>(std::uint64_t{members} * corrupt.part /
                                    std::max<std::uint32_t>(corrupt.whole, 1));
}

bool quorum_is_safe(std::uint32_t quorum, std::uint32_t members, const Fraction& corrupt) {
  return 2 * std::uint64_t{quorum} > std::uint64_t{members} + corrupt_among(members, corrupt);
}

Step begin(Terms terms, Instant now) {
  Exchange exchange{std::move(terms), Advertised{}, now, now, now + limits::kRetryMs, 0};
  return {std::move(exchange), {SendAdvert{}}, true};
}

Exchange ended_by_restart(Terms terms, Choice choice, Instant now) {
  return {std::move(terms),
          Over{Ending::kFailed, "the node was restarted", choice, true},
          now,
          now,
          now,
          0};
}

Step step(Exchange state, const Event& event) {
  Machine m{std::move(state), {}, false};
  std::visit([&]<class T>(const T&, const auto& e) { on(m, In<T>{}, e); }, m.x.phase, event);
  return {std::move(m.x), std::move(m.effects), m.accepted};
}

std::string_view name_of(const Phase& phase) {
  constexpr std::array<std::string_view, 6> kNames = {"advertised", "shared",   "masked",
                                                      "agreed",     "revealed", "over"};
  return kNames[phase.index()];
}

}  // namespace freshet::exchange
