#include "tests/tree/rules.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <regex>

namespace freshet::tree {
namespace {

using std::string_view;

struct Folder {
  string_view name;
  std::vector<string_view> may_include;  // beside itself
};

const std::vector<Folder>& floors() {
  static const std::vector<string_view> kBelowDaemons = {"base",      "crypto",  "aggregation",
                                                         "transport", "storage", "model",
                                                         "protocol",  "trainer", "membership"};
  static const std::vector<string_view> kBelowMains = {
      "base",     "crypto",  "aggregation", "transport",   "storage",   "model",
      "protocol", "trainer", "membership",  "coordinator", "edge_node", "authority"};
  static const std::vector<string_view> kBelowCli = [] {
    std::vector<string_view> folders = kBelowMains;
    folders.push_back("simulations");
    return folders;
  }();
  static const std::vector<Folder> kFloors = {
      {"base", {}},
      {"crypto", {"base"}},
      {"aggregation", {"base", "crypto"}},
      {"transport", {"base", "crypto"}},
      {"storage", {"base", "crypto"}},
      {"model", {"base", "crypto"}},
      {"protocol", {"base", "crypto", "aggregation"}},
      {"trainer", {"base", "crypto", "model", "aggregation"}},
      {"membership", {"base", "crypto", "aggregation", "transport", "storage", "protocol"}},
      {"coordinator", kBelowDaemons},
      {"edge_node", kBelowDaemons},
      {"authority", kBelowDaemons},
      {"simulations", kBelowMains},
      {"cli", kBelowCli},  // its programs run the simulators
  };
  return kFloors;
}

struct Package {
  string_view name;
  std::vector<string_view> headers;  // "dir/" or a whole header
  std::vector<string_view> owners;   // folders, or single files
};

const std::vector<Package>& packages() {
  static const std::vector<Package> kPackages = {
      {"fmt",
       {"fmt/"},
       {"base", "crypto", "aggregation", "transport", "storage", "model", "protocol", "trainer",
        "membership", "coordinator", "edge_node", "authority", "simulations", "cli"}},
      {"tl::expected", {"tl/"}, {"base"}},
      {"spdlog", {"spdlog/"}, {"base"}},
      {"nlohmann-json", {"nlohmann/"}, {"base"}},
      {"libsodium", {"sodium.h", "sodium/"}, {"crypto"}},
      {"ZeroMQ",
       {"zmq.h", "zmq.hpp", "zmq_addon.hpp"},
       {"transport", "tests/bench/fleet_idle.cpp"}},  // thousands of sockets on one context
      {"RocksDB", {"rocksdb/"}, {"storage"}},
      {"Cap'n Proto", {"capnp/", "kj/"}, {"protocol"}},
      {"toml++", {"toml++/", "toml.hpp"}, {"protocol"}},
      {"PCRE2", {"pcre2.h", "pcre2posix.h"}, {"model", "edge_node"}},
      {"utf8proc", {"utf8proc.h"}, {"model"}},
      {"LibTorch", {"torch/", "ATen/", "c10/", "caffe2/"}, {"trainer"}},
      {"libseccomp", {"seccomp.h"}, {"trainer"}},
      {"OpenMP", {"omp.h"}, {"trainer"}},
      {"zlib", {"zlib.h"}, {"cli"}},
      {"CLI11", {"CLI/"}, {"base/flags.cpp"}},
  };
  return kPackages;
}

// The system's own headers; the standard library's have neither dot nor slash.
constexpr std::array kSystemFolders = {string_view("sys/"),     string_view("linux/"),
                                       string_view("netinet/"), string_view("arpa/"),
                                       string_view("net/"),     string_view("asm/")};
constexpr std::array kSystemHeaders = {
    string_view("dirent.h"),  string_view("dlfcn.h"),    string_view("elf.h"),
    string_view("errno.h"),   string_view("execinfo.h"), string_view("fcntl.h"),
    string_view("glob.h"),    string_view("link.h"),     string_view("locale.h"),
    string_view("malloc.h"),  string_view("netdb.h"),    string_view("poll.h"),
    string_view("pthread.h"), string_view("pwd.h"),      string_view("sched.h"),
    string_view("signal.h"),  string_view("spawn.h"),    string_view("stdlib.h"),
    string_view("string.h"),  string_view("termios.h"),  string_view("time.h"),
    string_view("unistd.h"),  string_view("utime.h"),    string_view("wchar.h"),
    string_view("stdio.h"),   string_view("stdint.h"),   string_view("immintrin.h")};

// "dir/" names everything below it; without the slash the whole text must agree.
bool names(string_view pattern, string_view text) {
  return pattern.ends_with('/') ? text.starts_with(pattern) : text == pattern;
}

template <class Range>
bool any_names(const Range& patterns, string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](string_view p) { return names(p, text); });
}

string_view first_part(string_view path) { return path.substr(0, path.find('/')); }

// The tests of a folder may use what the folder uses: "tests/crypto/seal_test.cpp" stands in
// "crypto".
string_view home_of(string_view path) {
  if (path.starts_with("tests/")) path.remove_prefix(6);
  return first_part(path);
}

bool is_test(string_view path) { return path.starts_with("tests/"); }

std::optional<std::string> climbs(string_view path, string_view included) {
  if (included.find("..") != string_view::npos || included.find('/') == string_view::npos) {
    return "includes \"" + std::string(included) + "\": write the path from the repository root";
  }
  const string_view from = first_part(path);
  const string_view to = first_part(included);
  if (is_test(path) || from == to) return std::nullopt;
  const auto& all = floors();
  const auto folder =
      std::find_if(all.begin(), all.end(), [&](const Folder& f) { return f.name == from; });
  if (folder != all.end() &&
      std::count(folder->may_include.begin(), folder->may_include.end(), to) == 1) {
    return std::nullopt;
  }
  return std::string(from) + " includes \"" + std::string(included) + "\": " + std::string(to) +
         " is not on a floor below it";
}

std::optional<std::string> strays(string_view path, string_view included) {
  if (included.find_first_of("./") == string_view::npos) return std::nullopt;
  if (any_names(kSystemFolders, included) || any_names(kSystemHeaders, included))
    return std::nullopt;
  const string_view home = home_of(path);
  for (const Package& package : packages()) {
    if (!any_names(package.headers, included)) continue;
    const bool owned =
        std::any_of(package.owners.begin(), package.owners.end(),
                    [&](string_view owner) { return owner == home || owner == path; });
    if (owned || (is_test(path) && package.name == "fmt")) return std::nullopt;
    return "includes <" + std::string(included) + ">: " + std::string(package.name) + " stays in " +
           std::string(package.owners.front()) + "/";
  }
  if (is_test(path) && (included.starts_with("gtest/") || included.starts_with("rapidcheck")))
    return std::nullopt;
  return "includes <" + std::string(included) + ">, of a package that no folder owns";
}

// A line's finding, if any. The words are put together here so that this file keeps its own rule.
std::optional<std::string> unfinished(const std::string& line) {
  static const std::regex kWords(
      "\\b(TO"
      "DO|FIX"
      "ME|X"
      "XX)\\b");
  std::smatch match;
  if (!std::regex_search(line, match, kWords)) return std::nullopt;
  return "says " + match.str(1) + ": finish it, or file it where work is planned";
}

// Where chance is not the system's, or a signature is not checked, no daemon may reach.
std::optional<std::string> opens_a_seam(string_view path, const std::string& line) {
  static const std::regex kSeams("\\b(make_with|RememberSignatures|remembered_signatures)\\b");
  const string_view folder = first_part(path);
  std::smatch match;
  if (folder == "crypto" || folder == "simulations" || is_test(path) ||
      !std::regex_search(line, match, kSeams))
    return std::nullopt;
  return "says " + match.str(1) + ", which is for simulations and tests alone";
}

std::optional<std::string> included_wrongly(string_view path, const std::string& line) {
  static const std::regex kInclude("^\\s*#\\s*include\\s*([<\"])([^>\"]+)[>\"]");
  std::smatch match;
  if (!std::regex_search(line, match, kInclude)) return std::nullopt;
  const std::string included = match.str(2);
  // A package's header in quotes is a package's header all the same.
  const bool is_package = std::any_of(packages().begin(), packages().end(), [&](const Package& p) {
    return any_names(p.headers, included);
  });
  if (match.str(1) == "<" || is_package) return strays(path, included);
  return climbs(path, included);
}

}  // namespace

std::string to_string(const Finding& finding) {
  return finding.path + ":" + std::to_string(finding.line) + ": " + finding.what;
}

const std::vector<std::string>& folders() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> found = {"tests"};
    for (const Folder& folder : floors()) found.emplace_back(folder.name);
    return found;
  }();
  return kNames;
}

std::vector<Finding> check_file(string_view path, string_view text) {
  std::vector<Finding> findings;
  size_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (auto what = included_wrongly(path, line))
      findings.push_back({std::string(path), number, *what});
    if (auto what = opens_a_seam(path, line))
      findings.push_back({std::string(path), number, *what});
    if (auto what = unfinished(line)) findings.push_back({std::string(path), number, *what});
  }
  const size_t lines_max = path.ends_with(".h") ? kHeaderLinesMax : kSourceLinesMax;
  if (number > lines_max) {
    findings.push_back({std::string(path), lines_max + 1,
                        "has " + std::to_string(number) + " lines, at most " +
                            std::to_string(lines_max) + ": is it two nouns?"});
  }
  return findings;
}

}  // namespace freshet::tree
