// Any bytes read to a question that fits, and comes back byte for byte, or to an error.

#include "model/question.h"

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  const auto question = read_question({data, size});
  if (!question) {
    CHECK(!question.error().what.empty());
    return 0;
  }
  CHECK(check_question(*question).has_value());
  const Bytes again = canonical_bytes(*question);
  CHECK(again == Bytes(data, data + size), "{} bytes", size);
  CHECK(answer_layout(static_cast<std::uint32_t>(question->rows()),
                      static_cast<std::uint32_t>(question->candidates))
            .size > question->rows());
  return 0;
}
