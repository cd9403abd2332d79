// Any bytes are a message between an authority and a member, or an error; what is read is written
// back as the same bytes, unless a text in it was cleaned.

#include <algorithm>

#include "base/check.h"
#include "protocol/authority_messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  const ByteView input(data, size);
  Bytes frame = to_bytes(as_bytes("FRA1"));  // hardly any input begins so
  frame.insert(frame.end(), input.begin(), input.end());
  for (const ByteView bytes : {input, ByteView(frame)}) {
    if (const auto request = authority::decode_request(bytes)) {
      CHECK(std::ranges::equal(authority::encode(request->message, request->number), bytes));
      if (const auto* join = std::get_if<authority::Join>(&request->message))
        (void)authority::is_signed(*join);
    }
    if (const auto answer = authority::decode_answer(bytes)) {
      const Bytes again = authority::encode(answer->message, answer->number);
      CHECK(std::holds_alternative<authority::Denied>(answer->message) ||
            std::ranges::equal(again, bytes));
      CHECK(authority::decode_answer(again)->message == answer->message);
    }
  }
  return 0;
}
