#include "cli/demo/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "cli/demo/who_saw_what.h"

namespace freshet::demo {
namespace {

bool is_there(Figure figure) { return figure && std::isfinite(*figure); }

Json or_null(Figure figure) { return is_there(figure) ? Json(*figure) : Json(nullptr); }

Figure mean_over(const DemoReport& report, Figure NodeFigures::*member) {
  std::vector<Figure> figures;
  for (const NodeFigures& node : report.nodes) figures.push_back(node.*member);
  return mean_of(figures);
}

// Columns in terminals, not bytes.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string cell(const std::string& text, std::size_t width, bool left) {
  std::string room(width > width_of(text) ? width - width_of(text) : 0, ' ');
  return left ? text + room : room + text;
}

// Columns as wide as their widest cell; the first two to the left, figures to the right.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += (i > 0 ? "  " : "") + cell(row[i], widths[i], i < 2);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string wrapped(const std::string& text, std::size_t width) {
  std::string lines;
  std::size_t at = 0;
  while (text.size() - at > width) {
    const std::size_t space = text.rfind(' ', at + width);
    if (space == std::string::npos || space <= at) break;
    lines += text.substr(at, space - at) + "\n";
    at = space + 1;
  }
  return lines + text.substr(at);
}

std::vector<std::string> cloud_row(const std::string& name, const std::string& domain,
                                   const CloudFigures& llm) {
  return {name,
          domain,
          figure_text(llm.before),
          figure_text(llm.public_only),
          figure_text(llm.after),
          change(llm.before, llm.after),
          figure_text(llm.oracle)};
}

std::string cloud_table(const DemoReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"node", "private text", "before", "public alone", "adapted", "change", "oracle"}};
  for (std::size_t i = 0; i < report.llm_by_node.size() && i < report.nodes.size(); ++i)
    rows.push_back(cloud_row(report.nodes[i].name, report.nodes[i].domain, report.llm_by_node[i]));
  rows.push_back(cloud_row("mean", "", report.llm));
  return table(rows);
}

}  // namespace

Figure mean_of(const std::vector<Figure>& figures) {
  double sum = 0;
  std::size_t count = 0;
  for (Figure figure : figures)
    if (is_there(figure)) sum += *figure, ++count;
  return count > 0 ? Figure(sum / static_cast<double>(count)) : std::nullopt;
}

Figure mean_before(const DemoReport& report) { return mean_over(report, &NodeFigures::before); }
Figure mean_after(const DemoReport& report) { return mean_over(report, &NodeFigures::after); }

std::string change(Figure from, Figure to) {
  if (!is_there(from) || !is_there(to) || *from == 0) return "-";
  return fmt::format("{:+.1f} %", (*to / *from - 1) * 100);
}

std::string figure_text(Figure figure) {
  return is_there(figure) ? fmt::format("{:.3f}", *figure) : "-";
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < std::size(kUnits); ++unit) value /= 1000;
  return unit == 0 || value >= 100 ? fmt::format("{:.0f} {}", value, kUnits[unit])
                                   : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string duration_text(double seconds) {
  auto whole = static_cast<std::int64_t>(std::lround(std::max(seconds, 0.0)));
  return whole < 60 ? fmt::format("{} s", whole)
                    : fmt::format("{} min {:02} s", whole / 60, whole % 60);
}

Json to_json(const DemoReport& report) {
  Json nodes = Json::array();
  for (const NodeFigures& node : report.nodes)
    nodes.push_back({{"name", node.name},
                     {"domain", node.domain},
                     {"train_bytes", node.train_bytes},
                     {"heldout_bytes", node.heldout_bytes},
                     {"heldout_bpb_before", or_null(node.before)},
                     {"heldout_bpb_after", or_null(node.after)},
                     {"heldout_bpb_local_only", or_null(node.local_only)},
                     {"bytes_up", node.bytes_up},
                     {"bytes_down", node.bytes_down}});
  for (std::size_t i = 0; i < report.llm_by_node.size() && i < nodes.size(); ++i) {
    const CloudFigures& llm = report.llm_by_node[i];
    nodes[i]["llm"] = {{"bpb_before", or_null(llm.before)},
                       {"bpb_public_only", or_null(llm.public_only)},
                       {"bpb_after", or_null(llm.after)},
                       {"bpb_oracle", or_null(llm.oracle)}};
  }
  Json wire = {{"frames", report.wire.frames}, {"bytes", report.wire.bytes}};
  const auto& finding = report.wire.finding;
  wire["longest_private_match_bytes"] = finding ? Json(finding->bytes) : Json(nullptr);
  if (finding && finding->bytes > 0)
    wire["longest_private_match"] = {
        {"form", finding->form}, {"file", finding->file}, {"recording", finding->recording}};
  return {
      {"nodes", nodes},
      {"slm",
       {{"bpb_before", or_null(mean_before(report))}, {"bpb_after", or_null(mean_after(report))}}},
      {"llm",
       {{"bpb_before", or_null(report.llm.before)},
        {"bpb_public_only", or_null(report.llm.public_only)},
        {"bpb_after", or_null(report.llm.after)},
        {"bpb_oracle", or_null(report.llm.oracle)}}},
      {"rounds", report.rounds},
      {"seconds", std::round(report.seconds * 10) / 10},
      {"mode", report.mode},
      {"who_saw_what", who_saw_what(report)},
      {"method", report.method},
      {"rule", report.rule},
      {"slm_adapter", report.slm_adapter},
      {"llm_adapter", report.llm_adapter},
      {"llm_proxy", report.llm_proxy},
      {"report", report.report},
      {"memory_bytes_peak", report.memory_bytes_peak},
      {"wire", wire}};
}

std::string to_terminal(const DemoReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"node", "private text", "before", "alone", "federated", "change", "up", "down"}};
  for (const NodeFigures& node : report.nodes)
    rows.push_back({node.name, node.domain, figure_text(node.before), figure_text(node.local_only),
                    figure_text(node.after), change(node.before, node.after),
                    bytes_text(node.bytes_up), bytes_text(node.bytes_down)});
  Figure alone = mean_over(report, &NodeFigures::local_only);
  rows.push_back({"mean", "", figure_text(mean_before(report)), figure_text(alone),
                  figure_text(mean_after(report)), change(mean_before(report), mean_after(report)),
                  "", ""});
  std::string text = "Small model, held-out private text, bits per byte\n" + table(rows);
  text += "\nCloud model, the same held-out text, bits per byte\n" + cloud_table(report);
  const auto& finding = report.wire.finding;
  text += fmt::format(
      "\nWire: {} messages, {} sent by the nodes; longest private run found in them: {}\n",
      report.wire.frames, bytes_text(report.wire.bytes),
      finding ? fmt::format("{} bytes{}", finding->bytes, finding->bytes < 12 ? " (chance)" : "")
              : "not measured");
  text += fmt::format("{} rounds of {} with server rule {} in mode {}, {}, at most {} of memory\n",
                      report.rounds, report.method, report.rule, report.mode,
                      duration_text(report.seconds), bytes_text(report.memory_bytes_peak));
  text += "\n" + wrapped(who_saw_what(report), 100) + "\n";
  text += "\nreport       " + report.report + "\nSLM adapter  " + report.slm_adapter +
          "\nLLM adapter  " + report.llm_adapter + "\nLLM proxy    " + report.llm_proxy + "\n";
  return text;
}

}  // namespace freshet::demo
