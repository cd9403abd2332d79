#pragma once
#include <nlohmann/json_fwd.hpp>

namespace freshet {
using Json = nlohmann::ordered_json;
}  // namespace freshet
