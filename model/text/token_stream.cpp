#include "model/text/token_stream.h"

#include "base/check.h"

namespace freshet {

std::size_t TokenStream::end_of(std::size_t document) const {
  CHECK(document < starts.size(), "{} of {}", document, starts.size());
  return document + 1 < starts.size() ? starts[document + 1] : ids.size();
}

void TokenStream::append(std::span<const TokenId> more, std::span<const std::uint8_t> counted,
                         std::uint64_t text_bytes) {
  CHECK(counted.empty() || counted.size() == more.size(), "{} {}", counted.size(), more.size());
  if (more.empty()) return;
  if (counts.empty() && !counted.empty()) counts.assign(ids.size(), 1);
  starts.push_back(ids.size());
  ids.insert(ids.end(), more.begin(), more.end());
  if (!counted.empty())
    counts.insert(counts.end(), counted.begin(), counted.end());
  else if (!counts.empty())
    counts.resize(ids.size(), 1);
  bytes += text_bytes;
}

std::size_t targets_of(const TokenStream& stream) {
  std::size_t targets = 0, document = 0;
  for (std::size_t i = 0; i < stream.ids.size(); ++i) {
    const bool first = document < stream.starts.size() && stream.starts[document] == i;
    if (first) ++document;
    targets += !first && stream.counts_at(i) ? 1 : 0;
  }
  return targets;
}

void check_stream(const TokenStream& stream) {
  CHECK(stream.counts.empty() || stream.counts.size() == stream.ids.size(), "{} {}",
        stream.counts.size(), stream.ids.size());
  CHECK(stream.starts.empty() == stream.ids.empty(), "{} {}", stream.starts.size(),
        stream.ids.size());
  for (std::size_t i = 0; i < stream.starts.size(); ++i) {
    CHECK(stream.starts[i] < stream.ids.size(), "{} {}", i, stream.starts[i]);
    CHECK(i == 0 ? stream.starts[i] == 0 : stream.starts[i - 1] < stream.starts[i], "{}", i);
  }
}

}  // namespace freshet
