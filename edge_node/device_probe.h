#pragma once
// Reads what a Linux device says of itself: power supplies, thermal zones, /proc. Never fails: what
// is not there, or not what it should be, stays empty.

#include "base/files.h"
#include "edge_node/device_rules.h"

namespace freshet {

class DeviceProbe {
 public:
  // `root`: where sys/ and proc/ lie; "/" but in tests. `folder`: whose disk counts.
  explicit DeviceProbe(Path folder, Path root = "/")
      : folder_(std::move(folder)), root_(std::move(root)) {}

  // All but the node's own bytes.
  Reading read() const;

 private:
  void read_power(Reading& reading) const;
  void read_memory(Reading& reading) const;
  void read_load(Reading& reading) const;
  void read_heat(Reading& reading) const;
  void read_link(Reading& reading) const;

  Path folder_, root_;
};

}  // namespace freshet
