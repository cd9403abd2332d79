// The rules that a source file keeps by its place in the tree: it includes lower floors only, no
// package outside the folder that owns it, it stays short, and it leaves no note of unfinished
// work. Pure: path and text in, findings out. Reading the tree is left to the test.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::tree {

inline constexpr size_t kHeaderLinesMax = 200;
inline constexpr size_t kSourceLinesMax = 400;

struct Finding {
  std::string path;  // from the repository root
  size_t line = 0;   // from 1
  std::string what;

  bool operator==(const Finding&) const = default;
};

// "path:line: what", as compilers print it.
std::string to_string(const Finding& finding);

// Every rule over one C++ file. `path` is relative to the repository root, with forward slashes.
std::vector<Finding> check_file(std::string_view path, std::string_view text);

// The folders whose files have a floor.
const std::vector<std::string>& folders();

}  // namespace freshet::tree
