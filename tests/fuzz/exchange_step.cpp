// Events from anywhere into the machine of a masked round, and the promises that a node keeps
// whatever comes: one vector, one list of survivors or an abort and never both, nothing revealed
// without a quorum. Input: one byte that names an event, then its fields, one event after another.

#include <optional>

#include "base/check.h"
#include "edge_node/exchange.h"

namespace freshet::exchange {
namespace {

constexpr std::size_t kEventsMax = 2'000;

class Source {
 public:
  explicit Source(ByteView bytes) : left_(bytes) {}
  bool empty() const { return left_.empty(); }
  std::uint8_t byte() {
    if (left_.empty()) return 0;
    const std::uint8_t value = left_.front();
    left_ = left_.subspan(1);
    return value;
  }
  std::uint32_t number() { return byte() == 255 ? 0xffffffffu : byte(); }
  Members members() {
    Members list(byte() % 40);
    for (std::uint32_t& member : list) member = number();
    return list;
  }
  // The first few members, as an honest coordinator would name them; or anything.
  Members likely_members() {
    const std::uint8_t count = byte();
    if (count % 4 == 0) return members();
    Members list(count % 16);
    for (std::uint32_t i = 0; i < list.size(); ++i) list[i] = i;
    return list;
  }

 private:
  ByteView left_;
};

Roster roster_from(Source& from) {
  Roster roster{Digest{from.byte()}, from.number(), from.number(),
                from.number(),       from.number(), {}};
  if (roster.members > 64) roster.members = 64;
  if (from.byte() % 4 == 0)
    roster.neighbours = from.members();
  else
    for (std::uint32_t i = 0; i < roster.members; ++i)
      if (i != roster.own) roster.neighbours.push_back(i);
  return roster;
}

Forwarded forwarded_from(Source& from, Instant now) {
  Forwarded event{from.likely_members(), {}, now};
  const bool honest = from.byte() % 4 != 0;
  const std::uint32_t own = from.number();
  const Members boxes = honest ? event.sharers : from.members();
  for (const std::uint32_t member : boxes)
    if (!honest || member != own) event.boxes.push_back({member, honest || from.byte() % 8 != 0});
  return event;
}

QuorumArrived quorum_from(Source& from, Instant now) {
  QuorumArrived event{{}, now};
  for (const std::uint32_t member : from.likely_members())
    event.votes.push_back({member, from.byte() != 0});
  return event;
}

Event event_from(Source& from, Instant now) {
  switch (from.byte() % 12) {
    case 0: return RosterChecked{roster_from(from), now};
    case 1: return forwarded_from(from, now);
    case 2: return BaseSpent{now};
    case 3: return FrameMade{{Digest{from.byte()}, from.byte()}, now};
    case 4: return ChunkAcked{Digest{from.byte()}, from.byte(), now};
    case 5: return SurvivorsNamed{from.likely_members(), now};
    case 6: return quorum_from(from, now);
    case 7: return AbortAsked{"", now};
    case 8: return RoundEnded{now};
    case 9: return Failed{static_cast<Ending>(from.byte() % 6), Declined::kFailed, "", now};
    case 10: return Reconnected{now};
    default: return Tick{now};
  }
}

// What left the node so far.
struct Promises {
  int frames = 0;
  std::optional<Members> survivors;
  bool aborted = false, revealed = false, wiped = false;

  void keep(const Effect& effect) {
    if (std::holds_alternative<MakeFrame>(effect)) CHECK(++frames == 1 && !wiped);
    if (const auto* sign = std::get_if<SignSurvivors>(&effect)) {
      CHECK(frames == 1 && !aborted && !wiped);
      CHECK(!survivors || *survivors == sign->survivors, "two lists of survivors");
      survivors = sign->survivors;
    }
    if (std::holds_alternative<SignAbort>(effect)) {
      CHECK(!survivors, "survivors and an abort");
      aborted = true;
    }
    if (const auto* reveal = std::get_if<Reveal>(&effect)) {
      CHECK(survivors && *survivors == reveal->survivors);
      CHECK(revealed || !wiped);
      revealed = true;
    }
    if (std::holds_alternative<WipeKeys>(effect)) wiped = true;
  }
};

void run(ByteView input) {
  Source from(input);
  Terms terms;
  terms.rules.honest_min = 2 + from.byte() % 8;
  Step stepped = begin(terms, Instant{0});
  Promises promises;
  for (std::size_t i = 0; i < kEventsMax && !from.empty(); ++i) {
    const Instant now{static_cast<std::int64_t>(i) * (1 + from.byte() % 4) * 500};
    const Event event = event_from(from, now);
    const Exchange before = stepped.next;
    stepped = step(std::move(stepped.next), event);
    CHECK(stepped.accepted || (stepped.next == before && stepped.effects.empty()));
    CHECK(!is_over(before) || is_over(stepped.next), "an exchange that was over goes on");
    for (const Effect& effect : stepped.effects) promises.keep(effect);
    CHECK(!is_over(stepped.next) || promises.wiped);
  }
}

}  // namespace
}  // namespace freshet::exchange

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  freshet::exchange::run({data, size});
  return 0;
}
