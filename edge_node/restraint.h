#pragma once
// What holds a node back now: reads the device when it is time, holds its owner's rules against
// that, and says in the log what changed. Counts the bytes of a day over restarts.

#include "base/clock.h"
#include "edge_node/device_probe.h"
#include "edge_node/device_rules.h"

namespace freshet {

class Restraint {
 public:
  // `folder`: the node's own, where the bytes of a day are kept (traffic.json).
  Restraint(DeviceRules rules, Path folder, Path device_root);

  struct Moment {
    bool concerned = false;  // there is something that a rule may hold back
    bool training = false;
    std::uint64_t link_bytes = 0;  // of this process, both ways
  };
  // Reads the device where it is time: often while concerned, and at once when that begins.
  const HeldBack& look(const Moment& moment, Instant now);
  const HeldBack& held() const { return held_; }
  Instant due() const { return due_; }

 private:
  std::uint64_t bytes_today(std::uint64_t link_bytes);
  void load_traffic();
  void save_traffic();

  DeviceRules rules_;
  Path traffic_;
  DeviceProbe probe_;
  HeldBack held_;
  Instant due_;
  bool concerned_ = false;
  std::int64_t day_ = 0;                               // of local time, since 1970
  std::uint64_t bytes_ = 0, saved_ = 0, counted_ = 0;  // of the day, on disk, of link_bytes
};

}  // namespace freshet
