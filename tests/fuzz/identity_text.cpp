// Any text is an identity or an error; an identity reads back from its text, unless nobody can own
// it.

#include <algorithm>

#include "base/check.h"
#include "crypto/keys.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  const auto identity = public_identity_from_text(as_text({data, size}));
  if (identity) {
    CHECK(public_identity_from_text(to_text(*identity)).value() == *identity);
  } else {
    CHECK(identity.error().code == Code::kBadInput && !identity.error().what.empty());
  }

  PublicIdentity made;  // the same bytes as keys, since hardly any text has the right check digits
  std::size_t used = 0;
  for (auto* key : {&made.signing.bytes, &made.transport.bytes, &made.sealing.bytes})
    for (auto& byte : *key) byte = used < size ? data[used++] : 0;
  const std::string text = to_text(made);
  const auto again = public_identity_from_text(text);
  if (again) {
    CHECK(*again == made, "{}", text);
  } else {
    CHECK(again.error().what.find("low-order") != std::string::npos, "{}", again.error().what);
  }
  return 0;
}
