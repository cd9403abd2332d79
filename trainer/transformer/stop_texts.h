#pragma once
// Texts at which a generation ends, found in a text that comes in pieces: what may be the beginning
// of one is held back.

#include <string>
#include <string_view>
#include <vector>

namespace freshet {

class StopTexts {
 public:
  explicit StopTexts(std::vector<std::string> texts);  // empty ones count for nothing

  // What can be shown now. Once one is found, what stands before it, and then nothing more.
  std::string put(std::string_view piece);
  std::string finish();  // what was held back
  bool found() const { return found_; }

 private:
  std::vector<std::string> texts_;
  std::string held_;
  bool found_ = false;
};

}  // namespace freshet
