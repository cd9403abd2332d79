#include "base/result.h"

namespace freshet {

std::string_view name_of(Code code) {
  switch (code) {
    case Code::kBadInput: return "bad input";
    case Code::kRefused: return "refused";
    case Code::kUnavailable: return "unavailable";
    case Code::kExpired: return "expired";
    case Code::kNoSpace: return "no space";
    case Code::kCorrupt: return "corrupt";
  }
  return "unknown";
}

}  // namespace freshet
