#include "tests/chaos/campaigns.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <bit>
#include <sstream>

#include "aggregation/pack.h"
#include "base/clock.h"
#include "base/json.h"
#include "crypto/digest.h"
#include "crypto/key_file.h"
#include "edge_node/payload.h"
#include "membership/ledger_file.h"

namespace freshet::chaos {
namespace {

constexpr std::int64_t kCampaignMsMax = 150'000;
constexpr std::int64_t kLookedMsMax = 1'000;  // of one look: more, and all of us were stopped
constexpr int kStartsMax = 4;                 // of one daemon, after the fault

Json json_of(const Path& path) {
  const auto text = read_file(path, 1 << 20);
  return text ? parse_json(*text, path.string()).value_or(Json()) : Json();
}

// A daemon and what keeps it running.
struct Kept {
  std::string name;
  Child child;
  int starts = 1;
  bool over = false;
};

class Fleet {
 public:
  explicit Fleet(const World& world) : world_(world) {}

  std::optional<std::string> run() {
    daemons_.push_back({"c", world_.start_coordinator()});
    address_ = daemons_[0].child.line();
    for (int tries = 1; address_.empty() && tries < kStartsMax; ++tries) {  // hit while it started
      daemons_[0].child.wait(10'000);
      daemons_[0].child = world_.start_coordinator();
      address_ = daemons_[0].child.line();
    }
    for (int i = 0; i < world_.plan().nodes; ++i)
      daemons_.push_back({"n" + std::to_string(i), world_.start_node(i, address_)});
    Instant looked_at = SystemClock().now();
    for (std::int64_t lived_ms = 0; lived_ms < kCampaignMsMax;) {
      const Instant now = SystemClock().now();
      lived_ms += std::min(now - looked_at, kLookedMsMax);
      looked_at = now;
      for (Kept& each : daemons_)
        if (auto wrong = look_at(each)) return wrong;
      const bool nodes_over = std::all_of(daemons_.begin() + 1, daemons_.end(),
                                          [&](const Kept& each) { return is_done(each); });
      if (nodes_over && world_.campaign_phase() == "finished") return stop();
    }
    return fmt::format("not over after {} s: the campaign is {}", kCampaignMsMax / 1000,
                       world_.campaign_phase());
  }

 private:
  // One that was hit after its report has nothing more to do, and waits for another campaign.
  bool is_done(const Kept& node) const {
    return node.over || (node.starts > 1 &&
                         std::filesystem::exists(world_.node(number_of(node)) / "report.json"));
  }
  static int number_of(const Kept& node) { return std::atoi(node.name.c_str() + 1); }

  std::optional<std::string> look_at(Kept& daemon) {
    if (daemon.over) return std::nullopt;
    const std::optional<int> code = daemon.child.wait(10);
    if (!code) return std::nullopt;
    const bool is_node = daemon.name != "c";
    if (is_node && *code == 0) return daemon.over = true, std::nullopt;
    if (++daemon.starts > kStartsMax)
      return fmt::format("{} ended {} times, with {} at last", daemon.name, kStartsMax, *code);
    daemon.child =
        is_node ? world_.start_node(number_of(daemon), address_) : world_.start_coordinator();
    return std::nullopt;
  }

  std::optional<std::string> stop() {
    daemons_[0].child.stop();
    if (daemons_[0].child.wait(10'000) == 0) return std::nullopt;
    return "the coordinator did not stop";
  }

  const World& world_;
  std::string address_;
  std::vector<Kept> daemons_;
};

// ---- what must be true afterwards

int contributions_of(const World& world, int node) {
  const Json report = json_of(world.node(node) / "report.json");
  return report.is_object() ? report.value("contributions", -1) : -1;
}

std::vector<Json> receipts_of(const World& world) {
  std::vector<Json> receipts;
  std::istringstream lines(read_file(world.campaign() / "receipts.jsonl", 1 << 20).value_or(""));
  for (std::string line; std::getline(lines, line);)
    receipts.push_back(parse_json(line, "receipts.jsonl").value_or(Json()));
  return receipts;
}

using Words = std::vector<std::uint32_t>;

// Of those whose place in `who` is a bit of `subset`.
Digest digest_of_sum(const std::vector<Words>& who, std::uint32_t subset, std::uint32_t mask) {
  Words sum(who.front().size());
  for (std::size_t i = 0; i < who.size(); ++i)
    for (std::size_t w = 0; (subset >> i & 1) != 0 && w < sum.size(); ++w)
      sum[w] = (sum[w] + who[i][w]) & mask;
  return digest_of("freshet/sum/v1", as_bytes(std::span<const std::uint32_t>(sum)));
}

// The words that stayed under the masks of the nodes whose vectors left for the last round, added
// up again: as many of them as the receipt counts make its sum.
std::optional<std::string> check_sum(const World& world, const std::vector<Json>& receipts) {
  const Json& receipt = receipts.back();
  std::vector<Words> left;
  std::uint32_t mask = 0;
  for (int i = 0; i < world.plan().nodes; ++i) {
    const KeyRing keys = load_or_make_keys(world.node(i)).value();
    const auto payload = load_payload(world.node(i) / "payload", &keys.storage);
    if (!payload || !payload->unmasked || to_hex(payload->facts.sid) != receipt["sid"]) continue;
    mask = static_cast<std::uint32_t>((std::uint64_t{1} << payload->facts.bits) - 1);
    left.push_back(*payload->unmasked);
  }
  for (std::uint32_t subset = 1; subset < 1u << left.size(); ++subset)
    if (std::popcount(subset) == receipt["count"].get<int>() &&
        to_hex(digest_of_sum(left, subset, mask)) == receipt["sum"])
      return std::nullopt;
  return fmt::format("the published sum is not that of {} of the {} vectors that left",
                     receipt["count"].dump(), left.size());
}

// I7, of the campaign and of every node.
std::optional<std::string> check_ledgers(const World& world, const std::vector<Json>& receipts) {
  const auto campaign = LedgerFile::open(world.campaign() / "privacy.ledger",
                                         Ledger::Owner::kCampaign, Budget{1e6, 1e-5});
  if (!campaign) return campaign.error().what;
  const double spent = campaign->ledger().spent().epsilon;
  for (const Json& receipt : receipts)
    if (receipt["epsilon"].get<double>() > spent)
      return fmt::format("a receipt says epsilon {}, the ledger {}", receipt["epsilon"].dump(),
                         spent);
  for (int i = 0; i < world.plan().nodes; ++i) {
    const auto node =
        LedgerFile::open(world.node(i) / "privacy.ledger", Ledger::Owner::kNode, Budget{1e9, 1e-5});
    if (!node) return node.error().what;
    const int charged = static_cast<int>(node->ledger().charges().size());
    if (charged < contributions_of(world, i))
      return fmt::format("node {} is in {} sums and charged {}", i, contributions_of(world, i),
                         charged);
  }
  return std::nullopt;
}

bool holds(const Path& file, ByteView secret) {
  const auto text = read_file(file, 1 << 26);
  return text && text->find(as_text(secret)) != std::string::npos;
}

std::optional<std::string> look_for_secrets(const World& world, const Path& folder) {
  std::vector<KeyRing> keys;  // themselves sealed, where they are kept
  for (int i = -1; i < world.plan().nodes; ++i)
    keys.push_back(load_or_make_keys(i < 0 ? world.coordinator() : world.node(i)).value());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    for (const KeyRing& ring : keys)
      for (const Secret* secret : {&ring.identity.signing, &ring.identity.transport,
                                   &ring.identity.sealing, &ring.storage})
        if (holds(entry.path(), secret->view().first(32)))
          return fmt::format("a secret key is in {}", entry.path().string());
    if (holds(entry.path(), as_bytes("the private words")))
      return fmt::format("private text is in {}", entry.path().string());
  }
  return std::nullopt;
}

std::optional<std::string> check(const World& world, const Path& folder,
                                 const std::string& undisturbed) {
  bool all_in_all = true;
  for (int i = 0; i < world.plan().nodes; ++i) {
    const int contributions = contributions_of(world, i);
    if (contributions > world.plan().rounds)
      return fmt::format("node {} counts {} contributions in {} rounds", i, contributions,
                         world.plan().rounds);
    all_in_all = all_in_all && contributions == world.plan().rounds;
  }
  // Of a masked round one may be missing; the others are only over with all.
  if ((all_in_all || !world.plan().masked) && world.adapter_bytes("slm_adapter") != undisturbed)
    return "the same survivors, and another adapter";
  if (world.plan().masked) {
    const std::vector<Json> receipts = receipts_of(world);
    if (receipts.size() != static_cast<std::size_t>(world.plan().rounds))
      return fmt::format("{} receipts of {} rounds", receipts.size(), world.plan().rounds);
    if (auto wrong = check_sum(world, receipts)) return wrong;
    if (auto wrong = check_ledgers(world, receipts)) return wrong;
  }
  return look_for_secrets(world, folder);
}

}  // namespace

Lived live_through(const World& pristine, const Path& folder, const Scenario& scenario, int at,
                   const std::string& undisturbed) {
  World world = pristine.copy_to(folder / "world");
  std::filesystem::create_directories(folder / "stash");
  const Fired fired;
  const Trap trap{scenario.fault, at, folder / "world", folder / "stash"};
  world.prepare([&](const std::string& who) {
    if (who == scenario.victim && !fired.any()) arm(trap);
  });
  Lived lived;
  lived.wrong = Fleet(world).run();
  lived.hit = fired.any();
  lived.where = fired.where();
  if (!lived.wrong) lived.wrong = check(world, folder / "world", undisturbed);
  return lived;
}

}  // namespace freshet::chaos
