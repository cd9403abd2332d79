#pragma once
// The demo's authority: made afresh, served, and asked for one token for every machine, by the
// verbs that people use.

#include "cli/demo/stage.h"

namespace freshet::demo {

class Enrolment {
 public:
  // In FOLDER/authority, under a root key with a passphrase of its own. `stage` outlives it.
  static Result<Enrolment> open(Stage& stage, const Path& folder);

  Result<void> coordinator();  // FOLDER/coordinator joins; before any node does
  struct Machine {
    std::string name, coordinator_at;
  };
  Result<void> nodes(const std::vector<Machine>& machines);  // FOLDER/nodes/NAME join

 private:
  Enrolment(Stage& stage, std::string at) : stage_(&stage), at_(std::move(at)) {}
  Stage* stage_;
  std::string at_;  // where the authority listens
};

}  // namespace freshet::demo
