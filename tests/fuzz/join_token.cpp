// Any text is a join token or an error; a token reads back from its text.

#include "crypto/certificates/join_token.h"

#include <algorithm>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  const ByteView input(data, size);
  const auto read = join_token_from_text(as_text(input));
  if (!read) CHECK(read.error().code == Code::kBadInput && !read.error().what.empty());

  JoinToken made;  // hardly any text has the right check
  made.secret = Secret(32);
  std::copy_n(data, std::min<std::size_t>(size, 32), made.secret.writable().begin());
  made.authority_at = std::string(as_text(input.first(std::min<std::size_t>(size, 256))));
  made.coordinator_at = std::string(as_text(input.last(std::min<std::size_t>(size, 256))));
  const Secret line = join_token_text(made);
  const auto again = join_token_from_text(as_text(line.view()));
  CHECK(again && again->authority_at == made.authority_at &&
        again->coordinator_at == made.coordinator_at &&
        equal_in_constant_time(again->secret.view(), made.secret.view()));
  Bytes changed = to_bytes(line.view());
  if (size >= 2) {
    const std::size_t at = (data[0] | data[1] << 8) % changed.size();
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    CHECK(!join_token_from_text(as_text(changed)));
  }
  return 0;
}
