#include "coordinator/campaign_record.h"

#include <fmt/core.h>

#include <concepts>

#include "base/limits.h"

namespace freshet::campaign {
namespace {

constexpr std::uint8_t kEventForm = 'E', kStateForm = 'S';
constexpr std::int64_t kInstantMax = std::int64_t{1} << 53, kDurationMax = std::int64_t{1} << 40;

// One description of every form, walked by a Writer and by a Reader alike.
class Writer {
 public:
  static constexpr bool kReads = false;
  Bytes bytes;

  void number(std::integral auto value) {
    using Wide = std::make_unsigned_t<decltype(value)>;
    for (std::size_t i = 0; i < sizeof(Wide); ++i)
      bytes.push_back(static_cast<std::uint8_t>(static_cast<Wide>(value) >> (8 * i)));
  }
  void raw(ByteView view) { bytes.insert(bytes.end(), view.begin(), view.end()); }
  void require(bool) {}
};

class Reader {
 public:
  static constexpr bool kReads = true;
  explicit Reader(ByteView view) : rest_(view) {}

  template <std::integral T>
  void number(T& value) {
    std::make_unsigned_t<T> wide = 0;
    if (!has(sizeof wide)) return;
    for (std::size_t i = 0; i < sizeof wide; ++i)
      wide = static_cast<decltype(wide)>(wide | (static_cast<decltype(wide)>(rest_[i]) << (8 * i)));
    rest_ = rest_.subspan(sizeof wide);
    value = static_cast<T>(wide);
  }
  void raw(std::span<std::uint8_t> out) {
    if (!has(out.size())) return;
    std::copy_n(rest_.begin(), out.size(), out.begin());
    rest_ = rest_.subspan(out.size());
  }
  void require(bool holds) { good_ = good_ && holds; }
  bool has(std::size_t count) {
    require(rest_.size() >= count);
    return good_;
  }
  bool good() const { return good_; }
  bool done() const { return good_ && rest_.empty(); }

 private:
  ByteView rest_;
  bool good_ = true;
};

// ---- forms of parts. `io` is a Writer over const values or a Reader over mutable ones

void put(auto& io, std::integral auto& value) { io.number(value); }
void put(auto& io, Digest& value) { io.raw(value); }
void put(auto& io, const Digest& value) { io.raw(value); }
template <class Tag>
void put(auto& io, Id<Tag>& id) {
  io.number(id.value);
}
template <class Tag>
void put(auto& io, const Id<Tag>& id) {
  io.number(id.value);
}

template <class T, class Like>
concept Is = std::same_as<std::remove_const_t<T>, Like>;

// An Instant that a duration was added to may lie that much later.
void put_deadline(auto& io, Is<Instant> auto& at) {
  io.number(at.ms);
  io.require(at.ms >= -kInstantMax && at.ms <= kInstantMax + kDurationMax);
}

void put(auto& io, Is<Instant> auto& at) {
  io.number(at.ms);
  io.require(at.ms >= -kInstantMax && at.ms <= kInstantMax);
}

void flag(auto& io, auto& value) {
  auto byte = static_cast<std::uint8_t>(value);
  io.number(byte);
  io.require(byte <= 1);
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) value = byte == 1;
}

void put(auto& io, Is<std::string> auto& text) {
  auto size = static_cast<std::uint32_t>(text.size());
  io.number(size);
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) {
    io.require(size <= limits::kReasonBytesMax);
    if (!io.has(size)) return;
    text.resize(size);
    io.raw({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  } else {
    io.raw(as_bytes(text));
  }
}

template <class T>
void put(auto& io, std::optional<T>& value) {
  bool there = false;
  flag(io, there);
  if (there) put(io, value.emplace());
}
template <class T>
void put(auto& io, const std::optional<T>& value) {
  bool there = value.has_value();
  flag(io, there);
  if (value) put(io, *value);
}

// Calls each(element) for the elements of a sequence, which a Reader first makes as long as the
// bytes allow.
void sequence(auto& io, auto& elements, std::size_t most, auto each) {
  auto size = static_cast<std::uint32_t>(elements.size());
  io.number(size);
  io.require(size <= most);
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) {
    if (!io.has(size)) return;  // every element takes at least a byte
    elements.resize(size);
  }
  for (auto& element : elements) each(element);
}

void rising(auto& io, const auto& elements, auto key) {
  for (std::size_t i = 1; i < elements.size(); ++i)
    io.require(key(elements[i - 1]) < key(elements[i]));
}

// ---- events

void put(auto& io, Is<Hello> auto& e) { put(io, e.node), put(io, e.now); }
void put(auto& io, Is<Heartbeat> auto& e) {
  put(io, e.node), put(io, e.base);
  auto activity = static_cast<std::uint8_t>(e.activity);
  io.number(activity);
  io.require(activity <= static_cast<std::uint8_t>(Activity::kUploading));
  if constexpr (std::remove_reference_t<decltype(io)>::kReads)
    e.activity = static_cast<Activity>(activity);
  put(io, e.now);
}
void put(auto& io, Is<Ready> auto& e) { put(io, e.node), put(io, e.base), put(io, e.now); }
void put(auto& io, Is<Uploaded> auto& e) {
  put(io, e.node), put(io, e.round), put(io, e.upload), put(io, e.now);
}
void put(auto& io, Is<Summed> auto& e) {
  put(io, e.round), put(io, e.version), put(io, e.adapter), put(io, e.now);
}
void put(auto& io, Is<Spoiled> auto& e) {
  put(io, e.round);
  sequence(io, e.nodes, limits::kCohortMax, [&](auto& node) { put(io, node); });
  put(io, e.now);
}
void put(auto& io, Is<Vanished> auto& e) { put(io, e.node), put(io, e.now); }
void put(auto& io, Is<RoundOpened> auto& e) { put(io, e.now), put(io, e.seed); }
void put(auto& io, Is<DeadlinePassed> auto& e) { put(io, e.round), put(io, e.now); }
void put(auto& io, Is<GaveUp> auto& e) { put(io, e.now); }
void put(auto& io, Is<Recovered> auto& e) { put(io, e.now); }

// ---- the state

void put(auto& io, Is<Rules> auto& r) {
  put(io, r.rounds), put(io, r.cohort_min), put(io, r.cohort_max), put(io, r.survivors_min);
  put(io, r.ready_ms), put(io, r.round_ms), put(io, r.gather_ms);
  io.require(r.rounds >= 1 && r.rounds <= limits::kRoundsMax && r.survivors_min >= 1);
  io.require(r.survivors_min <= r.cohort_min && r.cohort_min <= r.cohort_max &&
             r.cohort_max <= limits::kCohortMax);
  for (std::int64_t duration : {r.ready_ms, r.round_ms, r.gather_ms})
    io.require(duration >= 0 && duration <= kDurationMax);
}

void put(auto& io, Is<Node> auto& n) {
  put(io, n.ready), put(io, n.offences);
  flag(io, n.here);
  io.require(n.offences <= limits::kOffencesMax && (n.here || (n.offences > 0 && !n.ready)));
}

void put(auto& io, Is<round::Round> auto& r) {
  put(io, r.plan.id), put(io, r.plan.base), put(io, r.plan.survivors_min), put_deadline(io, r.deadline);
  sequence(io, r.cohort, limits::kCohortMax, [&](auto& member) {
    put(io, member.node), put(io, member.upload);
    flag(io, member.vanished);
  });
  rising(io, r.cohort, [](const round::Member& member) { return member.node; });
  io.require(!r.cohort.empty());
}

template <class T>
void alternative(auto& io, auto& phase,
                 auto each) {  // reads into, or writes from, the alternative T
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) {
    each(phase.template emplace<T>());
  } else {
    each(std::get<T>(phase));
  }
}

void put(auto& io, Is<Phase> auto& phase) {
  auto kind = static_cast<std::uint8_t>(phase.index());
  io.number(kind);
  switch (kind) {
    case 0:
      return alternative<Gathering>(
          io, phase, [&](auto& g) { put(io, g.since), put(io, g.ready), put(io, g.enough_at); });
    case 1: return alternative<Collecting>(io, phase, [&](auto& c) { put(io, c.round); });
    case 2:
      return alternative<Summing>(io, phase, [&](auto& s) {
        put(io, s.round);
        if constexpr (std::remove_reference_t<decltype(io)>::kReads)
          s.round.phase = round::Finished{};
      });
    case 3: return alternative<Finished>(io, phase, [](auto&) {});
    case 4: return alternative<Failed>(io, phase, [&](auto& f) { put(io, f.why); });
    default: return io.require(false);
  }
}

void put(auto& io, Is<Campaign> auto& c) {
  put(io, c.id), put(io, c.rules), put(io, c.version), put(io, c.adapter), put(io, c.last_round),
      put(io, c.aborts);
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) {
    std::vector<std::pair<NodeId, Node>> nodes;
    sequence(io, nodes, limits::kKnownNodesMax,
             [&](auto& entry) { put(io, entry.first), put(io, entry.second); });
    rising(io, nodes, [](const auto& entry) { return entry.first; });
    c.nodes = std::map<NodeId, Node>(nodes.begin(), nodes.end());
  } else {
    sequence(io, c.nodes, limits::kKnownNodesMax,
             [&](auto& entry) { put(io, entry.first), put(io, entry.second); });
  }
  put(io, c.phase);
}

// What holds between the parts of every state that step() makes.
bool holds_together(const Campaign& c) {
  const bool finished = std::holds_alternative<Finished>(c.phase),
             failed = std::holds_alternative<Failed>(c.phase);
  if (c.version.value > c.rules.rounds || finished != (c.version.value == c.rules.rounds))
    return false;
  if (c.last_round.value < c.version.value) return false;
  if (c.aborts > limits::kRoundAbortsMax || (!failed && c.aborts == limits::kRoundAbortsMax))
    return false;
  for (const auto& [id, node] : c.nodes)
    if (node.ready && *node.ready > c.version) return false;
  if (const auto* gathering = std::get_if<Gathering>(&c.phase))
    return gathering->ready == ready_count(c) &&
           gathering->enough_at.has_value() == (gathering->ready >= c.rules.cohort_min);
  const round::Round* round = open_round(c);
  if (round == nullptr) return true;
  if (round->plan.id != c.last_round || round->plan.base != c.version) return false;
  if (round->plan.survivors_min != c.rules.survivors_min) return false;
  return std::holds_alternative<Collecting>(c.phase) ||
         round::survivors(*round).size() >= round->plan.survivors_min;
}

void put_stamp(Writer& io, std::uint8_t form) {
  io.number(kMachineVersion);
  io.number(form);
}

Result<void> take_stamp(Reader& io, std::uint8_t form, std::string_view what) {
  std::uint16_t version = 0;
  std::uint8_t found = 0;
  io.number(version);
  io.number(found);
  if (!io.good() || found != form)
    return fail(Code::kCorrupt, fmt::format("this is no {} of a campaign", what));
  if (version != kMachineVersion)
    return fail(
        Code::kCorrupt,
        fmt::format("{} of a campaign is of machine version {}, this program speaks {}: finish "
                    "the campaign with the program that began it",
                    what, version, kMachineVersion));
  return {};
}

template <std::size_t I = 0>
void take_event(Reader& io, std::size_t kind, Event& event) {
  if constexpr (I < std::variant_size_v<Event>) {
    if (kind == I) return put(io, event.emplace<I>());
    take_event<I + 1>(io, kind, event);
  } else {
    io.require(false);
  }
}

}  // namespace

Bytes encode(const Event& event) {
  Writer io;
  put_stamp(io, kEventForm);
  io.number(static_cast<std::uint8_t>(event.index()));
  std::visit([&](const auto& e) { put(io, e); }, event);
  return std::move(io.bytes);
}

Result<Event> decode_event(ByteView entry) {
  Reader io(entry);
  TRY(take_stamp(io, kEventForm, "journal entry"));
  std::uint8_t kind = 0;
  io.number(kind);
  Event event;
  take_event(io, kind, event);
  if (!io.done())
    return fail(Code::kCorrupt,
                fmt::format("a journal entry of {} bytes does not decode", entry.size()));
  return event;
}

Bytes encode(const Campaign& campaign) {
  Writer io;
  put_stamp(io, kStateForm);
  put(io, campaign);
  return std::move(io.bytes);
}

Result<Campaign> decode_campaign(ByteView snapshot) {
  Reader io(snapshot);
  TRY(take_stamp(io, kStateForm, "snapshot"));
  Campaign campaign;
  put(io, campaign);
  if (!io.done() || !holds_together(campaign))
    return fail(Code::kCorrupt,
                fmt::format("a campaign snapshot of {} bytes does not decode", snapshot.size()));
  return campaign;
}

Result<void> replay(Campaign& campaign, ByteView entry) {
  TRY_ASSIGN(const Event event, decode_event(entry));
  Step stepped = step(std::move(campaign), event);
  campaign = std::move(stepped.next);
  if (!stepped.durable)
    return fail(Code::kCorrupt,
                "a journal entry changes nothing: the journal is not of this state");
  return {};
}

}  // namespace freshet::campaign
