#include "aggregation/method.h"

#include <fmt/core.h>

#include "base/check.h"

namespace freshet {

Factors factors_of(Method method, std::uint64_t version) {
  switch (method) {
    case Method::kFedit: return {.a = true, .b = true};
    case Method::kFfa:
    case Method::kFedsvd: return {.a = false, .b = true};
    case Method::kFedsb: return {.core = true};
    case Method::kRolora: return {.a = version % 2 == 1, .b = version % 2 == 0};
  }
  CHECK(false, "method {}", static_cast<int>(method));
}

bool refactors(Method method) { return method == Method::kFedsvd; }

std::string_view name_of(Method method) {
  switch (method) {
    case Method::kFedit: return "fedit";
    case Method::kFfa: return "ffa";
    case Method::kRolora: return "rolora";
    case Method::kFedsvd: return "fedsvd";
    case Method::kFedsb: return "fed-sb";
  }
  CHECK(false, "method {}", static_cast<int>(method));
}

Result<Method> method_named(std::string_view name) {
  for (const Method method :
       {Method::kFedit, Method::kFfa, Method::kRolora, Method::kFedsvd, Method::kFedsb})
    if (name_of(method) == name) return method;
  return fail(Code::kBadInput,
              fmt::format("unknown method \"{}\": use fedit, ffa, rolora, fedsvd or fed-sb", name));
}

}  // namespace freshet
