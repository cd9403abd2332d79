#include "tests/coordinator/transcript.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <charconv>
#include <sstream>

#include "coordinator/campaign_record.h"
#include "tests/coordinator/events.h"

namespace freshet::campaign {
namespace {

// The words of one event line: "upload 2 r1 b @30".
struct Words {
  std::vector<std::string> all;
  Instant now;

  explicit Words(std::string_view line) {
    std::istringstream in{std::string(line)};
    for (std::string word; in >> word;) {
      if (word[0] == '@') {
        now.ms = std::stoll(word.substr(1));
      } else {
        all.push_back(word);
      }
    }
  }
  std::uint64_t number(std::size_t i) const {  // of "7", "r7" or "v7"
    const std::string& word = all.at(i);
    return std::stoull(word[0] == 'r' || word[0] == 'v' ? word.substr(1) : word);
  }
  NodeId node(std::size_t i) const { return NodeId{number(i)}; }
};

std::string names(const std::vector<NodeId>& nodes) {
  std::vector<std::uint64_t> numbers;
  for (NodeId node : nodes) numbers.push_back(node.value);
  return fmt::format("{}", fmt::join(numbers, " "));
}

struct Tell {
  std::string operator()(const SendAnnounce& e) const {
    return fmt::format("announce to {}", e.node.value);
  }
  std::string operator()(const SendInvite& e) const {
    return fmt::format("invite {} to r{} from v{}, cohort of {}, {} ms", e.node.value,
                       e.round.value, e.base.value, e.cohort, e.remaining_ms);
  }
  std::string operator()(const SendAccepted& e) const {
    return fmt::format("accepted {} from {} in r{}", name_of_bytes(e.upload), e.node.value,
                       e.round.value);
  }
  std::string operator()(const SendReceipt& e) const {
    std::string told = fmt::format("receipt of r{} to {}: {} v{}, survivors {}", e.round.value,
                                   names(e.to), e.published ? "published" : "aborted, still",
                                   e.version.value, names(e.survivors));
    if (e.masked)
      told += fmt::format(", places {}, sum {}", fmt::join(e.masked->survivors, " "),
                          name_of_bytes(e.masked->sum));
    return told;
  }
  std::string operator()(const SendPhase& e) const { return fmt::format("tell {}", e.node.value); }
  std::string operator()(const SendFinished& e) const {
    return fmt::format("finished with v{} to {}", e.version.value, e.node.value);
  }
  std::string operator()(const SendRefused& e) const {
    return fmt::format("refused to {}: {}: {}", e.node.value, name_of(e.code), e.why);
  }
  std::string operator()(const AddAndStep& e) const {
    std::vector<std::string> parts;
    for (const round::Survivor& survivor : e.survivors)
      parts.push_back(fmt::format("{}:{}", survivor.node.value, name_of_bytes(survivor.upload)));
    return fmt::format("add r{} from v{}: {}", e.round.value, e.base.value, fmt::join(parts, " "));
  }
  std::string operator()(const CombineGroups& e) const {
    std::vector<std::string> means;
    for (const Digest& mean : e.means) means.push_back(name_of_bytes(mean));
    return fmt::format("combine from v{}: {}", e.base.value, fmt::join(means, " "));
  }
  std::string operator()(const DropUploads& e) const {
    std::vector<std::string> uploads;
    for (const Digest& upload : e.uploads) uploads.push_back(name_of_bytes(upload));
    return fmt::format("drop {}", fmt::join(uploads, " "));
  }
};

std::string phase_of(const Campaign& c) {
  if (const auto* g = std::get_if<Gathering>(&c.phase))
    return fmt::format("gathering on v{}: {} of {} ready", c.version.value, g->ready,
                       c.nodes.size());
  if (const auto* failed = std::get_if<Failed>(&c.phase)) return "failed: " + failed->why;
  if (std::holds_alternative<Finished>(c.phase))
    return fmt::format("finished with v{}", c.version.value);
  if (std::holds_alternative<Combining>(c.phase))
    return fmt::format("combining {} groups from v{}", c.groups.size(), c.version.value);
  const round::Round& round = *open_round(c);
  if (round.plan.masked) {
    const auto said = [&](round::Document kind) {
      return std::count_if(round.cohort.begin(), round.cohort.end(),
                           [&](const auto& member) { return member.document(kind).has_value(); });
    };
    using round::Document;
    return fmt::format(
        "{}{} r{}: {} advertised, {} dealt, {} sent, {} agreed, {} revealed, {} gave up",
        std::holds_alternative<Summing>(c.phase) ? "summing, " : "", name_of(round.phase),
        round.plan.id.value, said(Document::kAdvert), said(Document::kShares),
        round::survivors(round).size(), said(Document::kAgreement), said(Document::kReveal),
        said(Document::kAbort));
  }
  return fmt::format("{} r{}: {} of {} answered",
                     std::holds_alternative<Summing>(c.phase) ? "summing" : "collecting",
                     round.plan.id.value, round::survivors(round).size(), round.cohort.size());
}

class Player {
 public:
  std::string play(std::string_view script) {
    std::istringstream in{std::string(script)};
    for (std::string line; std::getline(in, line);) {
      if (line.empty() || line[0] == '#') out_ += line + "\n";
      if (line.empty() || line[0] != '>') continue;
      out_ += line + "\n";
      event(Words(line.substr(1)));
    }
    return out_;
  }

 private:
  void say(std::string_view what) { out_ += fmt::format("    {}\n", what); }

  void say_all(const std::vector<Effect>& effects) {
    std::vector<NodeId> told;  // one after another, in one line
    for (const Effect& effect : effects) {
      if (const auto* phase = std::get_if<SendPhase>(&effect)) {
        told.push_back(phase->node);
        continue;
      }
      if (!told.empty()) say("tell " + names(told));
      told.clear();
      say(std::visit(Tell{}, effect));
    }
    if (!told.empty()) say("tell " + names(told));
  }

  void event(const Words& w) {
    const std::string& kind = w.all.at(0);
    if (kind == "plan") return begin_campaign(w);
    if (kind == "time") return time_passes(w);
    if (kind == "crash") return crash(w);
    if (kind == "hello") return feed(Hello{w.node(1), w.now});
    if (kind == "beat")
      return feed(Heartbeat{w.node(1), VersionId{w.number(2)}, Activity::kTraining, w.now});
    if (kind == "idle")
      return feed(Heartbeat{w.node(1), VersionId{w.number(2)}, Activity::kIdle, w.now});
    if (kind == "ready") return feed(Ready{w.node(1), VersionId{w.number(2)}, w.now});
    if (kind == "upload")
      return feed(Uploaded{w.node(1), RoundId{w.number(2)}, bytes_named(w.all.at(3)), w.now});
    if (kind == "summed")
      return feed(
          Summed{RoundId{w.number(1)}, VersionId{w.number(2)}, bytes_named(w.all.at(3)), w.now});
    if (kind == "held") return feed(HeldBack{RoundId{w.number(1)}, "it reads worse", w.now});
    if (kind == "rollback")
      return feed(RolledBack{VersionId{w.number(1)}, bytes_named(w.all.at(2)), w.now});
    if (kind != "spoiled") return masked_event(w);
    Spoiled spoiled{RoundId{w.number(1)}, {}, w.now};
    for (std::size_t i = 2; i < w.all.size(); ++i) spoiled.nodes.push_back(w.node(i));
    feed(spoiled);
  }

  void masked_event(const Words& w) {
    const std::string& kind = w.all.at(0);
    constexpr std::string_view kSaid[] = {"advert", "shares", "agree", "reveal", "abort"};
    for (std::size_t i = 0; i < std::size(kSaid); ++i)
      if (kind == kSaid[i])
        return feed(Said{w.node(1), RoundId{w.number(2)}, static_cast<round::Document>(i),
                         bytes_named(w.all.at(3)), w.all.size() > 4, w.now});
    if (kind == "complain")
      return feed(Complained{w.node(1), w.node(2), RoundId{w.number(3)}, w.now});
    if (kind == "group")
      return feed(GroupSummed{RoundId{w.number(1)}, bytes_named(w.all.at(2)), bytes_named("sum"),
                              EvaluationTotals{100, 10}, w.now});
    if (kind == "combined")
      return feed(Combined{VersionId{w.number(1)}, bytes_named(w.all.at(2)), w.now});
    if (kind == "left") return feed(Left{w.node(1), RoundId{w.number(2)}, w.now});
    if (kind == "staged") return feed(Staged{w.node(1), RoundId{w.number(2)}, w.now});
    if (kind != "ruined") return say("VIOLATION: no such event");
    Ruined ruined{RoundId{w.number(1)}, "the sum is none", {}, w.now};
    for (std::size_t i = 2; i < w.all.size(); ++i) ruined.liars.push_back(w.node(i));
    feed(ruined);
  }

  // plan ROUNDS COHORT_MIN COHORT_MAX SURVIVORS_MIN READY_MS ROUND_MS GATHER_MS [HONEST_MIN
  // PHASE_MS [GROUPS GROUPS_MIN]] From HONEST_MIN on it is masked.
  void begin_campaign(const Words& w) {
    auto small = [&](std::size_t i) { return static_cast<std::uint32_t>(w.number(i)); };
    auto ms = [&](std::size_t i) { return static_cast<std::int64_t>(w.number(i)); };
    Rules rules{small(1), small(2), small(3), small(4), ms(5), ms(6), ms(7)};
    if (w.all.size() > 8) {
      rules.masked = true;
      rules.masking.honest_min = small(8);
      rules.masking.phase_ms = ms(9);
    }
    if (w.all.size() > 10) rules.groups = small(10), rules.groups_min = small(11);
    live_ = begin(CampaignId{1}, rules, bytes_named("start"), w.now);
    snapshot_ = encode(live_);
    entries_.clear();
  }

  void time_passes(const Words& w) {
    for (int i = 0; i < 10; ++i) {
      std::vector<Event> events = due(live_, w.now, 1);
      if (events.empty()) return;
      for (const Event& event : events) {
        if (const auto* vanished = std::get_if<Vanished>(&event))
          say(fmt::format("({} vanished)", vanished->node.value));
        feed(event);
      }
    }
    say("VIOLATION: time alone brings about one thing after another");
  }

  void crash(const Words& w) {
    live_ = replayed();
    feed(Recovered{w.now});
    say_all(resume(live_, w.now));
  }

  Campaign replayed() {
    Campaign state = *decode_campaign(snapshot_);
    for (const Bytes& entry : entries_)
      if (auto ok = replay(state, entry); !ok) say("VIOLATION: " + ok.error().what);
    return state;
  }

  void feed(const Event& event) {
    const Campaign before = live_;
    Step stepped = step(live_, event);
    live_ = std::move(stepped.next);
    if (stepped.durable) entries_.push_back(encode(event));
    if (!stepped.durable && !(live_ == before)) say("VIOLATION: a change is not durable");
    if (!(replayed() == live_)) say("VIOLATION: the journal does not replay to the live state");
    say_all(stepped.effects);
    if (!(live_ == before)) say("= " + phase_of(live_));
  }

  Campaign live_;
  Bytes snapshot_;
  std::vector<Bytes> entries_;
  std::string out_;
};

}  // namespace

std::string run_transcript(std::string_view script) { return Player().play(script); }

}  // namespace freshet::campaign
