#pragma once
// What `freshet campaign ...` uses to talk to the coordinator that runs in a folder: one JSON
// document a line over its operator socket. Blocking.

#include <sys/un.h>

#include <optional>
#include <string>

#include "base/files.h"
#include "base/json_fwd.h"

namespace freshet {

// kBadInput for a path longer than a socket's name may be.
Result<sockaddr_un> unix_address(const Path& path);

class OperatorClient {
 public:
  // kUnavailable when no coordinator runs in `folder`, saying how to start one.
  static Result<OperatorClient> connect(const Path& folder);

  Result<void> send(const Json& document);
  // The next document; nothing when the coordinator hung up. A document {"error": ...} is that
  // error.
  Result<std::optional<Json>> next();

 private:
  explicit OperatorClient(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  std::string in_;
};

// Errors on this socket: {"error": {"code": "bad-input", "what": "..."}}.
Json error_document(const Error& error);

}  // namespace freshet
