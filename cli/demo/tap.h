#pragma once
// A relay between the nodes and the coordinator, in a thread of its own: one listening port a node
// on the loopback interface. It records every byte that a node sends, as it is on the wire outside
// the encryption, to files in one folder, and counts both ways. What it cannot record it does not
// pass on.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace freshet::demo {

class Tap {
 public:
  struct Counts {
    std::uint64_t up = 0, down = 0;  // bytes from the node, to the node
  };

  // `endpoint` is the coordinator's "tcp://127.0.0.1:PORT". kBadInput for another form.
  static Result<std::unique_ptr<Tap>> open(const std::string& endpoint, std::size_t nodes,
                                           const Path& folder);
  ~Tap();  // ends the thread; the files are complete

  std::string endpoint(std::size_t node) const;  // for the node to connect to
  Counts counts(std::size_t node) const;
  // The first thing that went wrong, if anything did.
  Result<void> health() const;

 private:
  struct Relay;
  explicit Tap(std::unique_ptr<Relay> relay);
  std::unique_ptr<Relay> relay_;
};

}  // namespace freshet::demo
