#include "protocol/canonical.h"

namespace freshet {

CanonicalBytes& CanonicalBytes::text(std::string_view value) {
  number(static_cast<std::uint32_t>(value.size()));
  return raw(as_bytes(value));
}

CanonicalBytes& CanonicalBytes::raw(ByteView value) {
  bytes_.insert(bytes_.end(), value.begin(), value.end());
  return *this;
}

}  // namespace freshet
