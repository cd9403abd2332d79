#pragma once
// Runs a chat template. What Freshet does not implement is an error that names it, and only where
// the template comes to it; time and memory are bounded by what it is given to print.

#include "model/text/jinja/syntax.h"

namespace freshet::jinja {

// kBadInput for what is not implemented and for what the template itself raises.
Result<MarkedText> render(const std::vector<Statement>& program, Dict variables);

}  // namespace freshet::jinja
