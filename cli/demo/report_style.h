#pragma once
// The style of report.html.

#include <string_view>

namespace freshet::demo {

inline constexpr std::string_view kReportStyle = R"(
:root { color-scheme: light dark; --page: #fcfcfa; --ink: #1d232b; --soft: #5d6875; --rule: #dfe3e6;
  --card: #f2f4f3; --before: #b3bcc4; --alone: #e0a33e; --after: #137c8b; --oracle: #6c5b9e; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14181d; --ink: #e4e8ec; --soft: #97a3af; --rule: #2d343c;
    --card: #1c2229; --before: #5b6670; --alone: #c98d2b; --after: #38b0c0; --oracle: #9c8bd0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 17px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 58rem; margin: 0 auto; padding: 3rem 1.25rem 5rem; }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 0.4rem; }
h2 { font-size: 1.2rem; margin: 3rem 0 0.4rem; }
p { margin: 0.5rem 0 1rem; max-width: 42rem; }
.lead, .soft, figcaption { color: var(--soft); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem; margin: 2rem 0 0; }
.figures div { background: var(--card); border-radius: 10px; padding: 1rem 1.1rem; }
.figures b { display: block; font-size: 1.55rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.figures span { color: var(--soft); font-size: 0.9rem; }
figure { margin: 1rem 0 0; overflow-x: auto; }
figcaption { font-size: 0.9rem; max-width: 42rem; }
svg { display: block; width: 100%; min-width: 36rem; height: auto; font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .tick { fill: var(--soft); font-size: 11px; }
svg .legend, svg .label { font-size: 12.5px; }
svg .value { fill: var(--soft); font-size: 9.5px; }
svg .middle { text-anchor: middle; }
svg .end { text-anchor: end; }
svg polyline { fill: none; stroke-linejoin: round; stroke-linecap: round; stroke-width: 3; stroke: var(--after); }
svg polyline.quiet { stroke: var(--before); stroke-width: 1.25; }
svg rect.before { fill: var(--before); }
svg rect.alone { fill: var(--alone); }
svg rect.after { fill: var(--after); }
svg rect.oracle { fill: var(--oracle); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 0.38rem 0.45rem; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
tr:last-child td { font-weight: 600; border-bottom: 0; }
code { font: 0.88em ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; background: var(--card);
  padding: 0.15em 0.4em; border-radius: 5px; overflow-wrap: anywhere; }
)";

}  // namespace freshet::demo
