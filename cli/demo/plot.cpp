#include "cli/demo/plot.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace freshet::demo {
namespace {

constexpr double kWidth = 840, kBarHeight = 300, kLineHeight = 320, kLeft = 52, kRight = 110,
                 kTop = 34, kBottom = 40, kBarWidthMax = 96;
constexpr double kBarOfTwoDecimals = 22;  // a narrower one has its value with one

// 1, 2 or 5 times a power of ten: about `count` steps over `span`.
double nice_step(double span, int count) {
  double raw = span / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * power) return factor * power;
  return 10 * power;
}

int decimals_of(double step) {
  return step >= 1 ? 0 : static_cast<int>(std::ceil(-std::log10(step) - 1e-9));
}

std::string open_svg(std::string_view title, double height) {
  return fmt::format(
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\"><title>{}</title>\n", kWidth,
      height, escaped(title), escaped(title));
}

std::string text_at(double x, double y, std::string_view css, std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\">{}</text>\n", x, y, css,
                     escaped(text));
}

std::string legend(const std::vector<BarSeries>& series) {
  std::string svg;
  double x = kLeft;
  for (const BarSeries& each : series) {
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"6\" width=\"12\" height=\"12\" rx=\"2\" class=\"{}\"/>\n", x,
        each.css);
    svg += text_at(x + 18, 16, "legend", each.name);
    x += 44 + 7.0 * static_cast<double>(each.name.size());
  }
  return svg;
}

struct Range {
  double low, high;
  double share(double value) const { return high > low ? (value - low) / (high - low) : 0.5; }
};

std::string grid_lines(Range range, double step, double top, double bottom, double right) {
  std::string svg;
  for (double value = std::ceil(range.low / step - 1e-9) * step + 0.0;
       value <= range.high + step * 1e-9; value += step) {
    double y = bottom - range.share(value) * (bottom - top);
    svg +=
        fmt::format("<line x1=\"{}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" class=\"grid\"/>\n",
                    kLeft, right, y, y);
    svg += text_at(kLeft - 8, y + 4, "tick end", fmt::format("{:.{}f}", value, decimals_of(step)));
  }
  return svg;
}

double highest(const std::vector<BarSeries>& series) {
  double high = 0;
  for (const BarSeries& each : series)
    for (Figure value : each.values)
      if (value && std::isfinite(*value)) high = std::max(high, *value);
  return high > 0 ? high : 1;
}

// Absent for no finite point at all.
std::optional<std::pair<Range, Range>> extent(const std::vector<LineSeries>& series) {
  Range x{INFINITY, -INFINITY}, y = x;
  for (const LineSeries& each : series)
    for (auto [at, value] : each.points) {
      if (!std::isfinite(at) || !std::isfinite(value)) continue;
      x = {std::min(x.low, at), std::max(x.high, at)};
      y = {std::min(y.low, value), std::max(y.high, value)};
    }
  if (x.low > x.high) return std::nullopt;
  double room = std::max((y.high - y.low) * 0.08, 1e-3);
  return std::pair(x, Range{y.low - room, y.high + room});
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

std::string bar_chart(std::string_view title, const std::vector<std::string>& groups,
                      const std::vector<BarSeries>& series) {
  double bottom = kBarHeight - kBottom, right = kWidth - 8, top = kTop + 12;
  Range range{0, highest(series)};
  std::string svg = open_svg(title, kBarHeight) + legend(series) +
                    grid_lines(range, nice_step(range.high, 5), top, bottom, right);
  double group = (right - kLeft) / static_cast<double>(std::max<std::size_t>(groups.size(), 1));
  double bar = std::min(
      kBarWidthMax, group * 0.84 / static_cast<double>(std::max<std::size_t>(series.size(), 1)));
  for (std::size_t g = 0; g < groups.size(); ++g) {
    double middle = kLeft + (static_cast<double>(g) + 0.5) * group;
    double x = middle - bar * static_cast<double>(series.size()) / 2;
    for (const BarSeries& each : series) {
      Figure value = g < each.values.size() ? each.values[g] : std::nullopt;
      if (value && std::isfinite(*value)) {
        double height = range.share(*value) * (bottom - top);
        svg += fmt::format(
            "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"2\" "
            "class=\"{}\"><title>{}, {}: {:.3f}</title></rect>\n",
            x + 1, bottom - height, bar - 2, height, each.css, escaped(groups[g]),
            escaped(each.name), *value);
        svg += text_at(x + bar / 2, bottom - height - 4, "value middle",
                       fmt::format("{:.{}f}", *value, bar < kBarOfTwoDecimals ? 1 : 2));
      }
      x += bar;
    }
    svg += text_at(middle, bottom + 18, "label middle", groups[g]);
  }
  return svg + "</svg>\n";
}

std::string line_chart(std::string_view title, std::string_view x_name, std::string_view y_name,
                       const std::vector<LineSeries>& series) {
  auto ranges = extent(series);
  if (!ranges) return {};
  auto [x_range, y_range] = *ranges;
  double bottom = kLineHeight - kBottom, right = kWidth - kRight;
  std::string svg =
      open_svg(title, kLineHeight) +
      grid_lines(y_range, nice_step(y_range.high - y_range.low, 5), kTop, bottom, right) +
      text_at(kLeft, 16, "legend", y_name);
  auto x_of = [&, x = x_range](double at) { return kLeft + x.share(at) * (right - kLeft); };
  auto y_of = [&, y = y_range](double value) { return bottom - y.share(value) * (bottom - kTop); };
  double step = std::max(1.0, nice_step(std::max(x_range.high - x_range.low, 1.0), 10));
  for (double at = std::ceil(x_range.low); at <= x_range.high; at += step)
    svg += text_at(x_of(at), bottom + 18, "tick middle", fmt::format("{:.0f}", at));
  svg += text_at((kLeft + right) / 2, kLineHeight - 4, "tick middle", x_name);
  for (const LineSeries& each : series) {
    std::string points;
    for (auto [at, value] : each.points)
      if (std::isfinite(at) && std::isfinite(value))
        points += fmt::format("{:.1f},{:.1f} ", x_of(at), y_of(value));
    svg += fmt::format("<polyline points=\"{}\" class=\"{}\"><title>{}</title></polyline>\n",
                       points, each.css, escaped(each.name));
    if (!each.points.empty() && each.css.find("quiet") == std::string::npos)
      svg += text_at(x_of(each.points.back().first) + 8, y_of(each.points.back().second) + 4,
                     "label", each.name);
  }
  return svg + "</svg>\n";
}

}  // namespace freshet::demo
