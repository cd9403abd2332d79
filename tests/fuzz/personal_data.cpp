// Any bytes as text with personal data in it: spans lie in order within the text, and the split
// loses nothing but what a filter leaves out.

#include "model/text/personal/personal_data.h"

#include <cstdint>

#include "base/check.h"
#include "model/text/stable_split.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::size_t last = 0;
  for (const PersonalSpan& span : find_personal(text)) {
    CHECK(span.begin >= last && span.end > span.begin && span.end <= size, "{} {} of {}",
          span.begin, span.end, size);
    last = span.end;
  }
  std::uint64_t bytes = 0;
  const PassageFilter count = [&bytes](Document& passage) {
    bytes += passage.text.size();
    PersonalCounts counts{};
    mask_personal(passage, counts);
    return counts[0] == 0;
  };
  const std::vector<Document> documents{{text}};
  split_stably(documents, 0.3, "salt", count);
  CHECK(bytes == size, "{} of {}", bytes, size);
  return 0;
}
