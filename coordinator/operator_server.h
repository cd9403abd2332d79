#pragma once
// The operator's end of a coordinator: a unix stream socket in its folder that carries one JSON
// document a line, both ways. Never blocks. What a request means is the driver's business; who may
// connect is the folder's mode (0700).

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json_fwd.h"

namespace freshet {

class OperatorServer {
 public:
  // Replaces a socket that an earlier process left. The caller holds the folder's lock.
  static Result<OperatorServer> listen(Path socket);
  OperatorServer(OperatorServer&&) = default;
  OperatorServer& operator=(OperatorServer&&) = default;
  ~OperatorServer();

  struct Request {
    std::uint64_t from;
    std::string line;
    std::uint32_t user = 0;  // of the system, as the kernel names it
  };
  std::vector<int> descriptors() const;  // readable when poll() has something to do
  std::vector<Request> poll();           // accepts, reads and writes what it can

  void send(std::uint64_t to, const Json& document);  // no effect once `to` is gone
  void finish(std::uint64_t to);                      // hangs up after what was sent is written
  bool is_here(std::uint64_t operator_id) const { return peers_.contains(operator_id); }

 private:
  struct Peer {
    UniqueFd fd;
    std::string in, out;
    std::uint32_t user = 0;
    bool finishing = false;
  };
  OperatorServer(Path path, UniqueFd listening)
      : path_(std::move(path)), listening_(std::move(listening)) {}
  void accept_new();
  bool read_from(std::uint64_t id, Peer& peer,
                 std::vector<Request>& requests);  // false: it is gone
  bool write_to(Peer& peer);

  Path path_;
  UniqueFd listening_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, Peer> peers_;
};

}  // namespace freshet
