// What a coordinator keeps of a masked round, from its own disk: whatever lies there is read as
// what it is or refused, and what is read is written back the same. Input: one byte that names the
// kind of document, then the document.

#include "coordinator/round_papers.h"

#include "base/check.h"
#include "coordinator/round_document.h"

namespace freshet {
namespace {

template <class T>
void expect_same(const Result<T>& read, Bytes (*write)(const T&), ByteView bytes) {
  if (read) CHECK(write(*read) == to_bytes(bytes), "a document has a second form");
}

}  // namespace
}  // namespace freshet

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0: expect_same(papers::advert_from(bytes), papers::of_advert, bytes); break;
    case 1: {
      const auto boxes = papers::boxes_from(bytes);
      expect_same(boxes, papers::of_boxes, bytes);
      if (boxes)
        for (const SignedBox& box : *boxes) CHECK(papers::box_for(bytes, box.peer).has_value());
      (void)papers::box_for(bytes, 3);
      break;
    }
    case 2: {
      const auto shares = papers::shares_from(bytes);
      if (shares) CHECK(papers::of_shares(*shares) == to_bytes(bytes), "shares have a second form");
      break;
    }
    case 3: (void)papers::signature_from(bytes); break;
    case 4: {
      const auto document = round_document_from(bytes);
      if (document) CHECK(to_bytes(*document) == to_bytes(bytes), "a descriptor has a second form");
      break;
    }
  }
  return 0;
}
