#pragma once
// A campaign told as text: lines that begin with ">" are events, the lines below each are what came of it. Reading a
// transcript runs its events again and writes what comes of them now.

#include <string>
#include <string_view>

namespace freshet::campaign {

// Also checks, at every event, what must hold of all: rejected events change nothing; the journal replays to the live
// state. What does not hold is written as a line that begins with "VIOLATION".
std::string run_transcript(std::string_view script);

}  // namespace freshet::campaign
