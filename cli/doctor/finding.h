#pragma once
// What `freshet doctor` looks at: one finding for each check, with what to do where it is not good.

#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"

namespace freshet::doctor {

enum class State { kGood, kPoor, kBad };  // kPoor: works, but slower or less safely

struct Finding {
  std::string check, says;
  State state = State::kGood;
  std::string remedy;  // empty where the state is good
};
using Findings = std::vector<Finding>;

// The machine: clock, entropy, locked memory, core files, sandbox of the trainer, speed of matrix
// products, memory.
Findings look_at_machine();

// The folder of a coordinator, node or authority: whose it is, its keys, room, and how long a
// durable write takes.
Findings look_at_folder(const Path& folder);

// Whether the address can be listened at, and whether somebody answers at it. Both are
// tcp://HOST:PORT.
Finding look_at_port(const std::string& address);
Finding look_at_peer(const std::string& address);

std::string to_line(const Finding& finding);
Json to_json(const Findings& findings);
bool any_bad(const Findings& findings);

}  // namespace freshet::doctor
