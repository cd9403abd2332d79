#include <fmt/core.h>

#include "cli/demo/plot.h"
#include "cli/demo/report.h"
#include "cli/demo/report_style.h"
#include "cli/demo/who_saw_what.h"

namespace freshet::demo {
namespace {

constexpr std::size_t kChanceBytes = 12;

std::string arrow(Figure from, Figure to) { return figure_text(from) + " → " + figure_text(to); }

std::string big_figure(const std::string& figure, const std::string& caption) {
  return "<div><b>" + escaped(figure) + "</b><span>" + escaped(caption) + "</span></div>\n";
}

std::string key_figures(const DemoReport& report) {
  const auto& finding = report.wire.finding;
  return "<div class=\"figures\">\n" +
         big_figure(change(mean_before(report), mean_after(report)),
                    "small model on held-out private text: " +
                        arrow(mean_before(report), mean_after(report)) + " bits per byte") +
         big_figure(change(report.llm.before, report.llm.after),
                    "cloud model on the same text: " + arrow(report.llm.before, report.llm.after) +
                        " bits per byte") +
         big_figure(finding ? fmt::format("{} bytes", finding->bytes) : "-",
                    finding && finding->bytes >= kChanceBytes
                        ? "longest private run found in what left the nodes: more than chance"
                        : "longest private run found in what left the nodes; below 12 is chance") +
         "</div>\n";
}

std::string node_bars(const DemoReport& report) {
  std::vector<std::string> names;
  BarSeries before{"before", "before", {}}, alone{"alone at home", "alone", {}},
      after{"federated", "after", {}};
  for (const NodeFigures& node : report.nodes) {
    names.push_back(node.name);
    before.values.push_back(node.before);
    alone.values.push_back(node.local_only);
    after.values.push_back(node.after);
  }
  return bar_chart("Bits per byte of each node's held-out text", names, {before, alone, after});
}

std::string round_lines(const DemoReport& report) {
  std::vector<LineSeries> series;
  std::size_t versions = 0;
  for (const NodeFigures& node : report.nodes) {
    LineSeries line{node.name, "quiet", {}};
    for (std::size_t v = 0; v < node.by_version.size(); ++v)
      if (node.by_version[v]) line.points.emplace_back(static_cast<double>(v), *node.by_version[v]);
    versions = std::max(versions, node.by_version.size());
    series.push_back(std::move(line));
  }
  LineSeries mean{"mean", "mean", {}};
  for (std::size_t v = 0; v < versions; ++v) {
    std::vector<Figure> figures;
    for (const NodeFigures& node : report.nodes)
      if (v < node.by_version.size() && node.by_version[v]) figures.push_back(node.by_version[v]);
    // A mean of fewer nodes would be a mean of other texts.
    if (figures.size() == report.nodes.size())
      mean.points.emplace_back(static_cast<double>(v), *mean_of(figures));
  }
  series.push_back(std::move(mean));
  return line_chart("Bits per byte over the rounds", "published version", "bits per byte", series);
}

std::string cloud_bars(const DemoReport& report) {
  std::vector<std::string> names;
  BarSeries before{"before", "before", {}}, alone{"public text alone", "alone", {}},
      after{"adapted", "after", {}}, oracle{"oracle", "oracle", {}};
  const auto add = [&](const std::string& name, const CloudFigures& llm) {
    names.push_back(name);
    before.values.push_back(llm.before);
    alone.values.push_back(llm.public_only);
    after.values.push_back(llm.after);
    oracle.values.push_back(llm.oracle);
  };
  for (std::size_t i = 0; i < report.llm_by_node.size() && i < report.nodes.size(); ++i)
    add(report.nodes[i].name, report.llm_by_node[i]);
  add("mean", report.llm);
  return bar_chart("Bits per byte of the cloud model", names, {before, alone, after, oracle});
}

std::string row(const std::vector<std::string>& cells, const char* tag) {
  std::string html = "<tr>";
  for (const std::string& cell : cells) html += fmt::format("<{}>{}</{}>", tag, escaped(cell), tag);
  return html + "</tr>\n";
}

std::string node_table(const DemoReport& report) {
  std::string html =
      "<div class=\"scroll\"><table>\n" + row({"node", "private text", "trains on", "before",
                                               "alone", "federated", "change", "sent", "received"},
                                              "th");
  std::uint64_t up = 0, down = 0, trained = 0;
  std::vector<Figure> alone;
  for (const NodeFigures& node : report.nodes) {
    html +=
        row({node.name, node.domain, bytes_text(node.train_bytes), figure_text(node.before),
             figure_text(node.local_only), figure_text(node.after), change(node.before, node.after),
             bytes_text(node.bytes_up), bytes_text(node.bytes_down)},
            "td");
    up += node.bytes_up;
    down += node.bytes_down;
    trained += node.train_bytes;
    alone.push_back(node.local_only);
  }
  html += row({"all", "", bytes_text(trained), figure_text(mean_before(report)),
               figure_text(mean_of(alone)), figure_text(mean_after(report)),
               change(mean_before(report), mean_after(report)), bytes_text(up), bytes_text(down)},
              "td");
  return html + "</table></div>\n";
}

std::string how_it_went(const DemoReport& report) {
  return fmt::format(
      "<h2>What happened</h2>\n<p>Each node trained LoRA factors of the small model on its own "
      "folder, in a trainer process without "
      "sockets. The change became one vector in an agreed layout; the node clipped it, put it on a "
      "grid of fixed point numbers, and waited until a cohort of ready nodes was formed. {} The "
      "coordinator took the "
      "mean, applied the server rule <code>{}</code> and published the next version, {} "
      "times. Then the cloud model learned from the federated small model, over text that that one "
      "wrote "
      "and public text that no node has, and its predictions are moved by a part of what "
      "federation "
      "changed in the small one; training on the public text alone is the control.</p>\n",
      report.mode == "masked"
          ? "The nodes agreed on masks that cancel in the sum, sent their masked vectors, signed "
            "who had sent one, and only then gave away what takes the masks off that one sum."
          : "Each sealed its vector to the coordinator, which opened and added them.",
      escaped(report.rule), report.rounds);
}

std::string what_was_seen(const DemoReport& report) {
  std::string seen;
  if (const auto& finding = report.wire.finding)
    seen = fmt::format(
        "The demo recorded everything the nodes sent, both as it was on the wire ({} bytes) and as "
        "{} messages before encryption, and "
        "searched it for the private files as text, token ids, hexadecimal and base64: the longest "
        "run is {} bytes ({}).",
        report.wire.bytes, report.wire.frames, finding->bytes, escaped(finding->form));
  return fmt::format(
      "<h2>Who could see what</h2>\n<p>{}</p>\n<p>{}</p>\n<p class=\"soft\">The figures of the "
      "small model come from "
      "the nodes' own files; the figures of "
      "the cloud model from an auditor in the demo, the only process that reads all folders. In a "
      "real fleet there is no such "
      "process.</p>\n",
      escaped(who_saw_what(report)), seen);
}

}  // namespace

std::string to_html(const DemoReport& report) {
  std::string html =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><title>Freshet demo</title>\n<style>" +
      std::string(kReportStyle) +
      "</style></head><body><main>\n<h1>A fleet learned from text it never shared</h1>\n";
  html += fmt::format(
      "<p class=\"lead\">{} nodes, {} rounds of <code>{}</code>, {} in all, at most {} of "
      "memory.</p>\n",
      report.nodes.size(), report.rounds, escaped(report.method), duration_text(report.seconds),
      bytes_text(report.memory_bytes_peak));
  html += key_figures(report);
  html += "<h2>The small model on each node</h2>\n<figure>" + node_bars(report) +
          "<figcaption>Bits per byte on the tenth of each folder that was held out; lower is "
          "better. “Alone” is the same training "
          "without the other nodes.</figcaption></figure>\n";
  html += "<h2>Round by round</h2>\n<figure>" + round_lines(report) +
          "<figcaption>Every published version on every node's held-out text; the thick line is "
          "the mean.</figcaption></figure>\n";
  html +=
      "<h2>The cloud model</h2>\n<figure>" + cloud_bars(report) +
      "<figcaption>The held-out text of every node, which the cloud model never sees. The oracle "
      "is the same model, tuned on all private text in one place, which nobody but this "
      "experiment can do.</figcaption></figure>\n";
  html +=
      "<h2>The numbers</h2>\n" + node_table(report) + how_it_went(report) + what_was_seen(report);
  html += "<h2>Again</h2>\n<p><code>" + escaped(report.command) +
          "</code></p>\n<p class=\"soft\">Adapters in PEFT form: <code>" +
          escaped(report.slm_adapter) + "</code> and <code>" + escaped(report.llm_adapter) +
          "</code></p>\n</main></body></html>\n";
  return html;
}

}  // namespace freshet::demo
