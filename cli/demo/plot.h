#pragma once
// Two kinds of plots as SVG that takes its colours from the page (classes "series-before" and so
// on). No script, nothing from outside.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/demo/report.h"

namespace freshet::demo {

// Text as it may stand between tags and in attributes.
std::string escaped(std::string_view text);

struct BarSeries {
  std::string name, css;
  std::vector<Figure> values;  // one a group
};
// Groups of bars from zero, each with its value; an absent value leaves its place empty.
std::string bar_chart(std::string_view title, const std::vector<std::string>& groups,
                      const std::vector<BarSeries>& series);

struct LineSeries {
  std::string name, css;
  std::vector<std::pair<double, double>> points;  // x rising
};
// Both axes named and not from zero; the name of a series with one stands at its end.
std::string line_chart(std::string_view title, std::string_view x_name, std::string_view y_name,
                       const std::vector<LineSeries>& series);

}  // namespace freshet::demo
