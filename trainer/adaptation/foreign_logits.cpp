#include "trainer/adaptation/foreign_logits.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "trainer/adaptation/token_alignment.h"

namespace freshet {
namespace {

// Of what a model expects: less than this for all tokens that agree with the text so far, and it
// reads the text in other tokens than it would write it in; it has no opinion.
constexpr double kLeastMass = 1e-3;
constexpr double kLeastShare = 1e-9;  // of one token, whose logarithm is a number

std::string bytes_of_all(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  std::string bytes;
  for (const TokenId id : ids) bytes += tokenizer.bytes_of(id);
  return bytes;
}

std::vector<std::string_view> pieces_of(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  std::vector<std::string_view> pieces;
  for (const TokenId id : ids) pieces.push_back(tokenizer.bytes_of(id));
  return pieces;
}

}  // namespace

VocabularyBridge::VocabularyBridge(const Tokenizer& own, const Tokenizer& asker)
    : own_(own), asker_(asker), nearest_(vocabulary_map(own, asker)) {
  for (TokenId id = 0; id < asker.vocab_size(); ++id) {
    const std::string_view bytes = asker.bytes_of(id);
    if (bytes.empty() || asker.is_special(id)) continue;
    asker_ids_.emplace(bytes, id);
    longest_ = std::max(longest_, bytes.size());
  }
}

const std::vector<TokenId>& VocabularyBridge::after(const std::string& written) {
  const auto [found, is_new] = after_.try_emplace(written);
  std::vector<TokenId>& ids = found->second;
  if (!is_new) return ids;
  ids.assign(static_cast<std::size_t>(own_.vocab_size()), -1);
  for (TokenId id = 0; id < own_.vocab_size(); ++id) {
    std::string_view rest = own_.bytes_of(id);
    if (own_.is_special(id) || !rest.starts_with(written)) continue;
    rest.remove_prefix(written.size());
    for (std::size_t length = std::min(longest_, rest.size()); length > 0; --length) {
      const auto fits = asker_ids_.find(rest.substr(0, length));
      if (fits == asker_ids_.end()) continue;
      ids[static_cast<std::size_t>(id)] = fits->second;
      break;
    }
  }
  return ids;
}

ForeignLogits::ForeignLogits(LogitSource& own, VocabularyBridge& bridge, Hearing hearing)
    : own_(own), bridge_(bridge), hearing_(hearing) {
  CHECK(own.vocab() >= bridge.own().vocab_size(), "{} and {}", own.vocab(),
        bridge.own().vocab_size());
}

void ForeignLogits::read(const TokenBatch& batch) {
  const auto rows = static_cast<std::size_t>(batch.rows());
  const auto time = static_cast<std::size_t>(batch.time);
  said_.assign(rows * static_cast<std::size_t>(vocab()), 0.0f);
  heard_.assign(rows, 0);
  for (std::size_t sequence = 0; sequence * time < rows; ++sequence)
    read_sequence(std::span(batch.ids).subspan(sequence * time, time), sequence);
}

void ForeignLogits::read_sequence(std::span<const TokenId> ids, std::size_t sequence) {
  const Tokenizer& tokenizer = bridge_.own();
  std::vector<TokenId> own;
  if (tokenizer.bos_id() >= 0) own.push_back(tokenizer.bos_id());
  const auto text = tokenizer.encode_plain(bytes_of_all(bridge_.asker(), ids), false);
  own.insert(own.end(), text.begin(), text.end());
  if (own.empty()) return;
  std::vector<Place> places(ids.size());
  const std::int64_t first = std::ssize(own) - std::ssize(text);
  if (hearing_ == Hearing::kBytes)
    place_by_bytes(ids, text, first, places);
  else
    place_by_alignment(ids, text, first, places);

  own.resize(std::min(own.size(), static_cast<std::size_t>(own_.positions())));
  TokenBatch batch{1, static_cast<int>(own.size()), own, {}, {}, {}};
  batch.targets.assign(own.size(), -1);
  own_.read(batch);
  z_.resize(static_cast<std::size_t>(kLogitRows * own_.vocab()));
  for (std::int64_t at = 0; at < batch.rows(); at += kLogitRows) {
    const std::int64_t some = std::min(kLogitRows, batch.rows() - at);
    own_.rows(at, some, z_.data());
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i].row < at || places[i].row >= at + some) continue;
      const std::size_t row = sequence * ids.size() + i;
      translate(places[i], z_.data() + (places[i].row - at) * own_.vocab(), row);
    }
  }
}

// Row j of the model is about its token j + 1; `first_row` is the place of own[0] in what it reads.
void ForeignLogits::place_by_bytes(std::span<const TokenId> ids, std::span<const TokenId> own,
                                   std::int64_t first_row, std::span<Place> places) const {
  const std::string asked = bytes_of_all(bridge_.asker(), ids);
  const std::string read = bytes_of_all(bridge_.own(), own);
  if (!read.ends_with(asked)) return;  // its tokenizer changed the text
  std::size_t at = read.size() - asked.size(), begin = 0;
  std::int64_t token = 0;  // of own, that begins at `begin`
  const auto length = [&](std::int64_t i) {
    return bridge_.own().bytes_of(own[static_cast<std::size_t>(i)]).size();
  };
  for (std::size_t i = 0; i < ids.size(); ++i) {
    at += bridge_.asker().bytes_of(ids[i]).size();
    while (token < std::ssize(own) && begin + length(token) <= at) begin += length(token++);
    const std::int64_t row = first_row + token - 1;
    if (row >= 0) places[i] = {row, read.substr(begin, at - begin)};
  }
}

void ForeignLogits::place_by_alignment(std::span<const TokenId> ids, std::span<const TokenId> own,
                                       std::int64_t first_row, std::span<Place> places) const {
  const std::vector<int> aligned =
      align_tokens(pieces_of(bridge_.own(), own), pieces_of(bridge_.asker(), ids));
  for (std::size_t i = 0; i + 1 < ids.size(); ++i)
    if (aligned[i + 1] >= 0 && first_row + aligned[i + 1] > 0)
      places[i].row = first_row + aligned[i + 1] - 1;
}

void ForeignLogits::translate(const Place& place, const float* z, std::size_t row) {
  const std::vector<TokenId>& to =
      hearing_ == Hearing::kBytes ? bridge_.after(place.written) : bridge_.nearest();
  const auto size = static_cast<std::size_t>(vocab());
  mass_.assign(size, 0.0);
  const float most = *std::max_element(z, z + own_.vocab());
  double all = 0, told = 0;
  for (std::size_t id = 0; id < static_cast<std::size_t>(own_.vocab()); ++id) {
    const double mass = std::exp(static_cast<double>(z[id] - most));
    all += mass;
    if (id >= to.size() || to[id] < 0) continue;
    mass_[static_cast<std::size_t>(to[id])] += mass;
    told += mass;
  }
  if (told < kLeastMass * all) return;
  heard_[row] = 1;
  float* out = said_.data() + row * size;
  for (std::size_t id = 0; id < size; ++id)
    out[id] = static_cast<float>(std::log(std::max(mass_[id] / told, kLeastShare)));
}

void ForeignLogits::rows(std::int64_t first, std::int64_t count, float* out) {
  CHECK(first + count <= std::ssize(heard_), "{} rows from {}", count, first);
  std::copy_n(said_.begin() + static_cast<std::ptrdiff_t>(first * vocab()), count * vocab(), out);
}

std::vector<std::uint8_t> rows_heard(ForeignLogits& source, const Prompts& prompts) {
  std::vector<std::uint8_t> heard(static_cast<std::size_t>(prompts.rows()));
  const auto together = static_cast<int>(std::max<std::int64_t>(1, kReadRows / prompts.window));
  for (std::int64_t at = 0; at < prompts.sequences(); at += together) {
    const int count = static_cast<int>(std::min<std::int64_t>(together, prompts.sequences() - at));
    const TokenBatch batch = batch_of(prompts, at, count);
    source.read(batch);
    for (std::int64_t row = 0; row < batch.rows(); ++row)
      heard[static_cast<std::size_t>(at * prompts.window + row)] = source.speaks(row) ? 1 : 0;
  }
  return heard;
}

}  // namespace freshet
