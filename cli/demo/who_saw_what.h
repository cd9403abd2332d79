#pragma once
// One plain paragraph for people: what each party of the demo could and could not see.

#include <string>

#include "cli/demo/report.h"

namespace freshet::demo {

std::string who_saw_what(const DemoReport& report);

}  // namespace freshet::demo
