// What secure aggregation costs on this machine: bench_secagg [--runs N] [--rows WORD] [--folder
// DIR] [--json FILE]. Times are of the processor on one thread, medians over the runs; whole rounds
// of simulated nodes are by the clock, on two threads. Peers are published figures.

#include <fmt/core.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <numeric>

#include "aggregation/graph.h"
#include "aggregation/mask.h"
#include "aggregation/pack.h"
#include "base/files.h"
#include "base/json.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "crypto/secagg/derive.h"
#include "crypto/secagg/possession.h"
#include "protocol/codec.h"
#include "simulations/simulation.h"
#include "storage/blob_store.h"
#include "tests/bench/peak_of_child.h"

namespace freshet {
namespace {

using namespace secagg;
using Indices = std::vector<std::uint32_t>;

constexpr double kMega = 1e6;
constexpr std::size_t k100K = 100'000, k1M = 1'000'000;
constexpr int kChildSecondsMax = 300;
constexpr int kRoundThreads = 2;

struct Flags {
  int runs = 3;
  std::string rows;  // those whose name has this in it; empty: all
  std::string folder = std::filesystem::temp_directory_path().string(), json;
};

double processor_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double median(int runs, const std::function<double()>& measure) {
  std::vector<double> all;
  for (int i = 0; i < runs; ++i) all.push_back(measure());
  std::ranges::sort(all);
  return all[all.size() / 2];
}

template <class T>
T must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "{}\n", result.error().what);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct Row {
  std::string name, unit;
  double ours;
  std::optional<double> peer;
  double goal;
};

struct Report {
  std::string only;
  bool wants(std::string_view name) const { return name.find(only) != std::string_view::npos; }

  template <class Measure>
  void add(Row row, const Measure& measure) {
    if (!wants(row.name)) return;
    row.ours = measure();
    add(std::move(row));
  }
  void add(Row row) {
    const bool met = row.ours <= row.goal;
    const std::string peer = row.peer ? fmt::format("{:.4g}", *row.peer) : "-";
    fmt::print("{:<62} {:>9.4g} {:<6} published {:>6}  goal <= {:<6.4g} {}\n", row.name, row.ours,
               row.unit, peer, row.goal, met ? "met" : "MISSED");
    std::fflush(stdout);
    Json json = {{"name", row.name},
                 {"unit", row.unit},
                 {"ours", row.ours},
                 {"better", "lower"},
                 {"goal", row.goal},
                 {"met", met},
                 {"peer", row.peer ? Json(*row.peer) : Json(nullptr)},
                 {"ratio", row.peer ? Json(row.ours / *row.peer) : Json(nullptr)}};
    rows.push_back(std::move(json));
  }
  Json rows = Json::array();
};

Bound bound_of_bench() {
  Bound bound;
  bound.sid.fill(1), bound.supplied.fill(2), bound.roster.fill(3);
  return bound;
}

Indices indices(std::uint32_t n) {
  Indices all(n);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

SigningPublic owner_in_bench(std::uint32_t index) {
  SigningPublic key;
  std::memcpy(key.bytes.data(), &index, sizeof index);
  return key;
}

// ---- a node: keys, theirs checked, shares for all its neighbours, theirs opened, one vector
// masked, one reveal

double node_seconds(std::uint32_t neighbours, std::size_t entries, int bits) {
  const Bound bound = bound_of_bench();
  std::vector<Peer> peers;
  std::vector<RoundKeys> others;
  for (std::uint32_t i = 1; i <= neighbours; ++i) {
    others.push_back(RoundKeys::make());
    peers.push_back({i, others.back().claim(bound.sid, owner_in_bench(i))});
  }
  std::vector<std::uint32_t> words(entries, 1);
  const Indices all = indices(neighbours + 1);
  const std::uint32_t threshold = 2 * (neighbours + 1) / 3 + 1;

  const double start = processor_seconds();
  RoundKeys keys = RoundKeys::make();
  keys.claim(bound.sid, owner_in_bench(0));
  for (const Peer& peer : peers)
    must(check_claim({bound.sid, owner_in_bench(peer.index), peer.advert}));
  must(keys.share(bound, 0, peers, threshold));
  double seconds = processor_seconds() - start;
  const std::vector<Peer> me = {{0, keys.advert()}};
  std::vector<SealedShare> boxes;
  for (std::uint32_t i = 1; i <= neighbours; ++i)
    boxes.push_back(must(others[i - 1].share(bound, i, me, 2)).front());
  const double again = processor_seconds();
  for (std::uint32_t i = 1; i <= neighbours; ++i) must(keys.take(i, boxes[i - 1]));
  must(keys.mask(words, bits, all));
  must(keys.reveal(all, all));
  return seconds + processor_seconds() - again;
}

// ---- the coordinator: adds what came, rebuilds seeds from shares, takes masks off

struct Seeds {  // of one member, and the polynomials that share them
  Bytes pair, self;
};

struct Cohort {
  std::uint32_t n, threshold;
  double dropped;
  Graph graph;
};

Unmasking round_of(const Cohort& cohort, std::vector<Seeds>& seeds) {
  Unmasking round{bound_of_bench(), {}, indices(cohort.n), {}, cohort.threshold, {}, {}};
  round.neighbours = [&cohort](std::uint32_t index) { return cohort.graph.neighbours(index); };
  const auto survivors =
      cohort.n - static_cast<std::uint32_t>(cohort.dropped * static_cast<double>(cohort.n));
  round.survivors = indices(survivors);
  for (std::uint32_t i = 0; i < cohort.n; ++i) {
    Seeds mine;
    for (Bytes* polynomial : {&mine.pair, &mine.self})
      for (std::uint32_t c = 0; c < cohort.threshold; ++c) {
        std::array<std::uint8_t, 64> wide;
        random_bytes(wide);
        const Scalar coefficient = reduce(wide);
        polynomial->insert(polynomial->end(), coefficient.begin(), coefficient.end());
      }
    Advert advert{};
    Scalar secret;
    mask_secret(KeyView(mine.pair.data(), 32), secret);
    advert.mask = mask_public(secret);
    advert.commit = commit_to(KeyView(mine.self.data(), 32), advert.nonce);
    round.roster.push_back(advert);
    seeds.push_back(std::move(mine));
  }
  return round;
}

std::vector<RevealedShare> revealed(const Unmasking& round, const std::vector<Seeds>& seeds,
                                    std::uint32_t member) {
  Indices of = round.neighbours(member);
  of.push_back(member);
  std::vector<RevealedShare> shares;
  for (const std::uint32_t owner : of) {
    const bool survived = owner < round.survivors.size();
    RevealedShare share{owner, survived, {}};
    evaluate(survived ? seeds[owner].self : seeds[owner].pair, member + 1, share.value);
    shares.push_back(share);
  }
  return shares;
}

double coordinator_seconds(const Cohort& cohort, std::size_t entries, int runs) {
  std::vector<Seeds> seeds;
  const Unmasking round = round_of(cohort, seeds);
  std::vector<std::vector<RevealedShare>> all;
  for (const std::uint32_t member : round.survivors) all.push_back(revealed(round, seeds, member));
  const int bits = must(word_bits(Grid{1, 16, 1}, cohort.n, 0));
  const Bytes upload = pack(std::vector<std::uint32_t>(entries + 1, 5), bits);
  return median(runs, [&] {
    const double start = processor_seconds();
    MaskedSum sum;
    for (std::size_t i = 0; i < round.survivors.size(); ++i)
      must(add_packed(sum, upload, entries + 1, bits));
    Recovery recovery = must(Recovery::start(round));
    for (const std::uint32_t member : round.survivors) must(recovery.take(member, all[member]));
    must(recovery.rebuild());
    unmask(std::move(sum), recovery);
    return processor_seconds() - start;
  });
}

Cohort complete_cohort(std::uint32_t n, double dropped) {
  // Shares are dealt so that the survivors can rebuild them.
  const auto threshold = static_cast<std::uint32_t>(n * (1 - dropped) * 2 / 3) + 1;
  return {n, threshold, dropped, Graph(Digest{}, n, n - 1)};
}

Cohort sparse_cohort(std::uint32_t n, double corrupt, double dropped) {
  const GraphPlan plan = must(plan_graph(n, {corrupt, dropped}));
  fmt::print("# n {}, {:.2f} corrupt, {:.2f} dropped at 2^-80: degree {}, threshold {}\n", n,
             corrupt, dropped, plan.degree, plan.threshold);
  return {n, plan.threshold, dropped, Graph(Digest{}, n, plan.degree)};
}

// ---- bytes of one node's upload, all messages of a round counted as they leave

std::size_t frame_bytes(const NodeMessage& message, const Identity& node) {
  static std::uint64_t sequence = 0;
  return encode(message, {node.open.id(), ++sequence}, node).size();
}

double upload_bytes_per_weight(std::uint32_t n, std::size_t entries) {
  const Identity node = Identity::generate();
  const int bits = must(word_bits(Grid{1, 16, 1}, n, 0));
  Advertise advertise;
  advertise.certificate = Bytes(limits::kCertificateBytesMax);
  ShareBundle bundle;
  for (std::uint32_t i = 1; i < n; ++i) bundle.boxes.push_back({i, {}, {}});
  Reveal reveal;
  for (std::uint32_t i = 0; i < n; ++i) reveal.shares.push_back({i, true, {}});
  std::size_t bytes = frame_bytes(advertise, node) + frame_bytes(bundle, node) +
                      frame_bytes(AgreeSurvivors{}, node) + frame_bytes(reveal, node);
  const std::size_t frame = kFrameSignatureBytes + packed_bytes(entries + 1, bits);
  for (std::size_t at = 0; at < frame; at += limits::kChunkBytes) {
    UploadChunk chunk{CampaignId{1}, RoundId{1}, {}, frame, at, {}};
    chunk.data.resize(std::min(limits::kChunkBytes, frame - at));
    bytes += frame_bytes(chunk, node);
  }
  return static_cast<double>(bytes) / static_cast<double>(entries);
}

// ---- memory: uploads staged chunk by chunk from all nodes in turn, then added one by one

Result<void> stage_and_add(const Path& folder, std::uint32_t uploads, std::size_t entries) {
  TRY_ASSIGN(const int bits, word_bits(Grid{1, 16, 1}, uploads, 0));
  Bytes chunk(limits::kChunkBytes);
  random_bytes(chunk);
  const std::size_t size = packed_bytes(entries, bits);
  chunk[(size - 1) % chunk.size()] = 0;  // padding of the last word
  TRY_ASSIGN(BlobStore store, BlobStore::open(folder));
  auto fill = [&](std::uint32_t upload, std::size_t at) {
    const std::size_t count = std::min(chunk.size(), size - at);
    std::memcpy(chunk.data(), &upload, sizeof upload);
    return ByteView(chunk).first(count);
  };
  std::vector<Digest> digests;
  for (std::uint32_t upload = 0; upload < uploads; ++upload) {
    Hasher hasher;
    for (std::size_t at = 0; at < size; at += chunk.size()) hasher.update(fill(upload, at));
    digests.push_back(hasher.finish());
  }
  for (std::size_t at = 0; at < size; at += chunk.size())
    for (std::uint32_t upload = 0; upload < uploads; ++upload)
      TRY(store.stage(digests[upload], size, at, fill(upload, at)));
  MaskedSum sum;
  for (const Digest& digest : digests) {
    TRY_ASSIGN(const Bytes upload, store.read(digest, 0, size));
    TRY(add_packed(sum, upload, entries, bits));
  }
  return {};
}

// Of a process of its own, above what it starts with, in vectors of `entries` words.
double peak_copies(const Flags& flags, std::uint32_t uploads, std::size_t entries) {
  const Path folder = Path(flags.folder) / fmt::format("bench-secagg-{}", ::getpid());
  const long kib = must(
      peak_kib_of_child([&] { return stage_and_add(folder, uploads, entries); }, kChildSecondsMax));
  std::filesystem::remove_all(folder);
  return 1024.0 * static_cast<double>(kib) / (4.0 * static_cast<double>(entries));
}

void bench_nodes(Report& report, int runs) {
  auto row = [&](const char* name, std::uint32_t neighbours, std::size_t entries,
                 std::optional<double> published, double goal) {
    report.add({name, "s", 0, published, goal},
               [&] { return median(runs, [&] { return node_seconds(neighbours, entries, 26); }); });
  };
  row("node, n=500, 100K entries (Bonawitz 2017)", 499, k100K, 0.849, 0.2);
  row("node, n=100, 1M entries, 99 neighbours", 99, k1M, std::nullopt, 0.25);
  row("node, n=100, 1M entries, 10 neighbours (Flower: 50 to 110 ms)", 10, k1M, 0.05, 0.04);
}

void bench_coordinator(Report& report, int runs) {
  report.add(
      {"coordinator, n=500, 10 % dropped, 100K, complete (Bonawitz 2017)", "s", 0, 62.239, 5},
      [&] { return coordinator_seconds(complete_cohort(500, 0.1), k100K, runs); });
  report.add(
      {"coordinator, n=500, 10 % dropped, 100K, sparse (Bonawitz 2017)", "s", 0, 62.239, 0.8},
      [&] { return coordinator_seconds(sparse_cohort(500, 0.1, 0.1), k100K, runs); });
  report.add(
      {"coordinator, n=1000, 30 % dropped, 100K, sparse (Bonawitz 2017)", "s", 0, 413.767, 5},
      [&] { return coordinator_seconds(sparse_cohort(1000, 0.1, 0.3), k100K, runs); });
}

// ---- a whole round of simulated nodes, each with its own keys, shares, masks and signatures

double round_seconds(std::uint32_t nodes, std::size_t entries, sim::Calm graph) {
  const sim::Size size{nodes, 1, true, entries, graph};
  const auto start = std::chrono::steady_clock::now();
  const sim::Outcome outcome = sim::simulate(sim::world_of(1, size, false), {}, kRoundThreads);
  if (outcome.violation || outcome.versions != 1) {
    fmt::print(stderr, "the simulated round was not published: {}\n",
               outcome.violation.value_or(outcome.why));
    std::exit(1);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void bench_rounds(Report& report) {
  const auto row = [&](const char* name, sim::Calm graph, double goal) {
    report.add({name, "s", 0, std::nullopt, goal},
               [&] { return round_seconds(1000, k100K, graph); });
  };
  row("a round of 1000 nodes in the simulator, 100K entries, 2 cores, sparse", sim::Calm::kSparse,
      15);
  row("a round of 1000 nodes in the simulator, 100K entries, 2 cores, complete",
      sim::Calm::kComplete, 180);
}

void bench_bytes(Report& report, const Flags& flags) {
  report.add(
      {"upload per weight, n=64, 16 bits, 1M entries, all counted (Flower)", "bytes", 0, 8, 2.8},
      [] { return upload_bytes_per_weight(64, k1M); });
  for (const std::uint32_t uploads : {10u, 100u, 1000u})
    report.add({fmt::format("coordinator memory, {} uploads of 1M entries (NVFlare: n+2)", uploads),
                "copies", 0, uploads + 2.0, 5},
               [&] { return peak_copies(flags, uploads, k1M); });
}

Flags read_flags(int argc, char** argv) {
  Flags flags;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--runs") flags.runs = std::max(1, std::atoi(argv[i + 1]));
    if (name == "--rows") flags.rows = argv[i + 1];
    if (name == "--folder") flags.folder = argv[i + 1];
    if (name == "--json") flags.json = argv[i + 1];
  }
  return flags;
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) {
  using namespace freshet;
  const Flags flags = read_flags(argc, argv);
  Report report;
  report.only = flags.rows;
  bench_bytes(report, flags);  // first: memory is measured on a small process
  bench_nodes(report, flags.runs);
  bench_coordinator(report, flags.runs);
  bench_rounds(report);
  if (flags.json.empty()) return 0;
  must(write_file_durably(flags.json, as_bytes(to_text(Json{{"rows", report.rows}}, 2) + "\n")));
}
