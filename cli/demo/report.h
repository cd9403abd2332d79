#pragma once
// What a run of the demo found, and its three forms: one JSON object, a page that needs nothing but
// itself, and a table for the terminal. A figure that could not be measured is absent: null in
// JSON, a dash for people.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "cli/demo/wire_audit.h"

namespace freshet::demo {

using Figure = std::optional<double>;  // bits per byte of held-out private text

struct NodeFigures {
  std::string name, domain;
  std::uint64_t train_bytes = 0, heldout_bytes = 0;
  Figure before, after, local_only;
  std::uint64_t bytes_up = 0, bytes_down = 0;
  std::vector<Figure> by_version;  // from version 0
};

struct CloudFigures {  // by the auditor
  Figure before, public_only, after, oracle;
};

struct WireFigures {
  std::uint64_t frames = 0;  // messages that nodes sent
  std::uint64_t bytes = 0;   // that nodes sent, as they were on the wire
  std::optional<WireFinding> finding;
};

struct DemoReport {
  std::vector<NodeFigures> nodes;
  CloudFigures llm;                       // means over the private folders
  std::vector<CloudFigures> llm_by_node;  // by place in `nodes`
  WireFigures wire;
  std::uint64_t rounds = 0;
  double seconds = 0;
  std::string mode, method, rule;
  std::uint32_t quorum = 0;  // masked: nodes without whom no sum can be opened
  bool noise = false;
  std::string slm_adapter, llm_adapter, llm_proxy, report;  // paths
  std::uint64_t memory_bytes_peak = 0;
  std::string command;  // that gives this again
};

// Mean over the nodes that have the figure; absent where none has.
Figure mean_before(const DemoReport& report);
Figure mean_after(const DemoReport& report);
Figure mean_of(const std::vector<Figure>& figures);

Json to_json(const DemoReport& report);
std::string to_html(const DemoReport& report);
std::string to_terminal(const DemoReport& report);

// "-7.3 %"; a dash where either is absent.
std::string change(Figure from, Figure to);
std::string figure_text(Figure figure);       // "2.413"
std::string bytes_text(std::uint64_t bytes);  // "1.8 MB"
std::string duration_text(double seconds);    // "3 min 12 s"

}  // namespace freshet::demo
