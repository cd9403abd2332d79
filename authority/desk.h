#pragma once
// How a person's commands reach an authority: FOLDER/authority.sock (0600), one JSON document each
// way. While no server runs, the same documents are answered in the command's own process.

#include <vector>

#include "authority/office.h"
#include "base/files.h"
#include "base/json.h"

namespace freshet::authority {

// {"do": "invite" | "approve" | "revoke" | "list" | "add_issuer", ...}. An error of code kCorrupt
// or kNoSpace may be the journal's.
Result<Json> answer(Office& office, const Path& folder, const Json& request, std::int64_t now_s);

// The socket of a running server. Never blocks.
class Desk {
 public:
  static Result<Desk> listen(const Path& folder);
  int descriptor() const { return listening_.get(); }
  // Answers one waiting command, if one is there.
  Result<void> serve(const std::function<Result<Json>(const Json&)>& answer);

 private:
  explicit Desk(UniqueFd listening) : listening_(std::move(listening)) {}
  UniqueFd listening_;
};

// Asks the server of `folder`. kUnavailable: none runs.
Result<Json> ask_desk(const Path& folder, const Json& request);

}  // namespace freshet::authority
