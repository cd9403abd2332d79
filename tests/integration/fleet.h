#pragma once
// A coordinator and its nodes as real processes over loopback ZeroMQ with real RocksDB, and a toy
// trainer. The processes are forks of the test, made before it has any thread; each runs the driver
// and ends.

#include <sys/types.h>

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/ids.h"
#include "coordinator/campaign_store.h"
#include "crypto/keys.h"
#include "edge_node/node_options.h"

namespace freshet {

// One forked process. Killed and reaped when this goes.
class Child {
 public:
  // `body` gets a descriptor that becomes readable when it shall stop, and one to write one line
  // to; its result is the exit code.
  static Child start(const std::function<int(int stop, int line)>& body);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  std::string line();  // blocks until the child wrote it; empty: it died before
  void stop();         // asks it to end
  void kill();         // SIGKILL
  bool kill_child();   // SIGKILL to a process that it started; false: it has none
  std::optional<int> wait(int timeout_ms);  // exit code, 128 + signal; nothing after the time

 private:
  Child() = default;
  pid_t pid_ = -1;
  UniqueFd process_, stop_, line_;
};

struct FleetPlan {
  std::string method = "rolora", rule = "adam";
  int nodes = 4, rounds = 3;
  bool adapt = false;
  bool masked = false;
  std::int64_t phase_ms = 3'000;  // of a masked round
  double noise_multiplier = 0;    // 0: no privacy
  int survivors_min = 0;          // 0: all nodes
  bool gate = false;              // on public text
  int poisoned = 0;               // of the nodes, from the first one on: they learn the opposite
  int groups = 1;
  bool evaluation = false;
  double example_noise = 0;  // of a step of training; 0: none
  bool logits = false;  // real small models in real trainers, which answer a question
  int width = 16, layers = 2;             // of the model, and so of its adapter
  std::vector<std::string> targets = {};  // of the adapter; empty: all
  std::uint32_t honest_min = 0;           // of a masked round; 0: the default
  bool keep_unmasked = false;             // on the nodes, the words of the last round
};

// What happens to a coordinator's journal.
struct Fate {
  std::optional<int> die_at;        // SIGKILL before (even) or after (odd) its die_at / 2-th entry
  int full_from = 0, full_for = 0;  // from that entry on the disk is full for so many tries
};

// Folders of a coordinator and `nodes` nodes with keys, a toy model, texts, and one queued campaign
// of a fixed id: two copies of one world run the same campaign with the same randomness.
class World {
 public:
  static World make(const Path& folder, const FleetPlan& plan);
  World copy_to(const Path& folder) const;
  World with_trust() const;  // the same campaign, whose coordinator opens every update

  Child start_coordinator(Fate fate = {}) const;
  Child start_node(int node, const std::string& address, bool baseline = false) const;
  // Dies like a process whose machine was switched off once its masked round is in this phase.
  Child start_mortal_node(int node, const std::string& address, std::string phase) const;
  Child start_strict_node(int node,
                          const std::string& address) const;  // its policy wants more honest ones
  Child start_node_of(const NodePolicy& policy, int node, const std::string& address) const;

  Child start_node_that_approves_nothing(int node, const std::string& address) const;

  // Takes part with random bytes in place of sealed updates, and with frames of garbage; ends with
  // the campaign.
  Child start_liar(int node, const std::string& address) const;

  Path coordinator() const { return folder_ / "c"; }
  Path node(int node) const { return folder_ / ("n" + std::to_string(node)); }
  Path model() const { return shared_ / "model"; }
  Path cloud_model() const { return shared_ / "cloud"; }  // in a world of logits
  Path question() const { return shared_ / "question"; }  // there, too
  Path text(int node) const { return shared_ / ("text" + std::to_string(node)); }
  // Called at the beginning of every daemon's process, with the folder's name: "c", "n0", ...
  void prepare(std::function<void(const std::string& who)> each) { prepare_ = std::move(each); }

  Path campaign() const;
  std::string campaign_phase() const;  // as recorded
  std::string adapter_bytes(const std::string& name) const;
  const FleetPlan& plan() const { return plan_; }

 private:
  NodeOptions options_of(int node, const std::string& address) const;
  Child run_node(int node, const std::function<NodeOptions()>& options) const;
  void enrol() const;
  CampaignRecord record() const;

  Path folder_, shared_;
  FleetPlan plan_;
  std::function<void(const std::string&)> prepare_ = [](const std::string&) {};
};

}  // namespace freshet
