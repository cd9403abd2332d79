#include "cli/doctor/finding.h"

#include <fmt/format.h>

#include <algorithm>

namespace freshet::doctor {
namespace {

const char* name_of(State state) {
  return state == State::kGood ? "good" : state == State::kPoor ? "poor" : "bad";
}

}  // namespace

std::string to_line(const Finding& finding) {
  std::string line =
      fmt::format("{:<4}  {:<14} {}", name_of(finding.state), finding.check, finding.says);
  if (!finding.remedy.empty()) line += fmt::format("\n      {:<14} -> {}", "", finding.remedy);
  return line;
}

Json to_json(const Findings& findings) {
  Json rows = Json::array();
  for (const Finding& each : findings)
    rows.push_back({{"check", each.check},
                    {"state", name_of(each.state)},
                    {"says", each.says},
                    {"remedy", each.remedy.empty() ? Json() : Json(each.remedy)}});
  return Json{{"checks", rows}, {"good", !any_bad(findings)}};
}

bool any_bad(const Findings& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& each) { return each.state == State::kBad; });
}

}  // namespace freshet::doctor
