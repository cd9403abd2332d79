#include "model/text/stable_split.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "crypto/digest.h"

namespace freshet {
namespace {

constexpr std::size_t kLongLines = 20, kPassageLinesMin = 8, kPassageLinesMax = 64;
constexpr std::uint64_t kEndsOneIn = 16;  // lines

struct Passage {
  Document document;
  std::size_t of = 0;        // the document's index
  std::uint64_t digest = 0;  // uniform
  bool heldout = false;
};

std::uint64_t digest_under(std::string_view salt, std::string_view text) {
  std::string salted(salt);
  salted += text;
  const Digest digest = digest_of("freshet/heldout/v1", as_bytes(salted));
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | digest[i];
  return value;
}

// FNV-1a: which lines end a passage is no secret, and need only be the same tomorrow.
std::uint64_t mix_of(std::string_view line) {
  std::uint64_t mix = 14695981039346656037u;
  for (const char c : line) mix = (mix ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return mix >> 32;
}

std::vector<std::string_view> cut(std::string_view text) {
  std::vector<std::string_view> passages;
  std::size_t begin = 0, lines = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    ++lines;
    const bool ends =
        lines >= kPassageLinesMin && mix_of(text.substr(at, end - at)) % kEndsOneIn == 0;
    at = end;
    if (!ends && lines < kPassageLinesMax) continue;
    passages.push_back(text.substr(begin, end - begin));
    begin = end;
    lines = 0;
  }
  if (begin < text.size()) passages.push_back(text.substr(begin));
  return passages;
}

std::vector<Passage> passages_of(std::span<const Document> documents, std::string_view salt) {
  std::vector<Passage> passages;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const Document& document = documents[i];
    const std::string_view text = document.text;
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    if (document.row || !document.segments.empty() || lines < kLongLines) {
      passages.push_back({document, i, digest_under(salt, text), false});
      continue;
    }
    for (const std::string_view part : cut(text))
      passages.push_back({{std::string(part)}, i, digest_under(salt, part), false});
  }
  return passages;
}

void decide(std::vector<Passage>& passages, double share) {
  const double threshold = std::ldexp(share, 64);
  for (Passage& passage : passages)
    passage.heldout = static_cast<double>(passage.digest) < threshold;
  const auto held = [](const Passage& each) { return each.heldout; };
  const auto lower = [](const Passage& a, const Passage& b) { return a.digest < b.digest; };
  if (passages.size() < 2 || share <= 0) {
    for (Passage& passage : passages) passage.heldout = false;
  } else if (std::none_of(passages.begin(), passages.end(), held)) {
    std::min_element(passages.begin(), passages.end(), lower)->heldout = true;
  } else if (std::all_of(passages.begin(), passages.end(), held)) {
    std::max_element(passages.begin(), passages.end(), lower)->heldout = false;
  }
}

}  // namespace

Split split_stably(std::span<const Document> documents, double heldout_share, std::string_view salt,
                   const PassageFilter& filter) {
  std::vector<Passage> passages = passages_of(documents, salt);
  decide(passages, heldout_share);
  Split split;
  const Passage* last = nullptr;
  for (Passage& passage : passages) {
    if (filter && !filter(passage.document)) {
      last = nullptr;
      continue;
    }
    auto& to = passage.heldout ? split.heldout : split.train;
    const bool goes_on =
        last != nullptr && last->of == passage.of && last->heldout == passage.heldout;
    if (goes_on) {
      to.back().text += passage.document.text;
    } else {
      to.push_back(std::move(passage.document));
    }
    last = &passage;
  }
  return split;
}

}  // namespace freshet
