#include "trainer/training/batches.h"

#include <algorithm>

#include "base/check.h"

namespace freshet {
namespace {

constexpr std::uint64_t kWindowStream = 0x77696e;  // of the generator that draws windows

// Where a token stands and what it sees, once one row of the batch is not simply 0, 1, 2, ...
void make_places(TokenBatch& batch) {
  if (!batch.positions.empty()) return;
  batch.positions.resize(batch.ids.size());
  batch.first_seen.assign(batch.ids.size(), 0);
  for (std::size_t n = 0; n < batch.ids.size(); ++n)
    batch.positions[n] = static_cast<int>(n % static_cast<std::size_t>(batch.time));
}

void fill_pieces(const TokenStream& stream, const PackedRow& packed, int row, TokenBatch& batch) {
  const std::size_t begin = static_cast<std::size_t>(row) * static_cast<std::size_t>(batch.time);
  const bool plain = packed.pieces.size() == 1 && packed.pieces.front().length == batch.time;
  if (!plain) make_places(batch);
  int at = 0;
  for (const Piece& piece : packed.pieces) {
    const int first = at;
    for (int i = 0; i < piece.length; ++i, ++at) {
      const std::size_t n = begin + static_cast<std::size_t>(at),
                        from = piece.first + static_cast<std::size_t>(i);
      batch.ids[n] = stream.ids[from];
      batch.targets[n] = stream.counts_at(from + 1) ? stream.ids[from + 1] : -1;
      if (plain) continue;
      batch.positions[n] = i;
      batch.first_seen[n] = first;
    }
  }
  for (; at < batch.time; ++at) {  // padding sees itself alone
    const std::size_t n = begin + static_cast<std::size_t>(at);
    batch.positions[n] = 0;
    batch.first_seen[n] = at;
  }
}

}  // namespace

TokenBatch empty_batch(int sequences, int time) {
  TokenBatch batch;
  batch.sequences = sequences;
  batch.time = time;
  batch.ids.assign(static_cast<std::size_t>(batch.rows()), 0);
  batch.targets.assign(batch.ids.size(), -1);
  return batch;
}

void fill_window(const TokenStream& stream, std::size_t start, int row, TokenBatch& batch) {
  const std::size_t begin = static_cast<std::size_t>(row) * static_cast<std::size_t>(batch.time);
  auto next = std::upper_bound(stream.starts.begin(), stream.starts.end(),
                               start);  // the document after this one
  std::size_t seen = start;             // the first place of this document
  if (next != stream.starts.end() && *next < start + static_cast<std::size_t>(batch.time))
    make_places(batch);
  for (int t = 0; t < batch.time; ++t) {
    const std::size_t from = start + static_cast<std::size_t>(t),
                      n = begin + static_cast<std::size_t>(t);
    if (next != stream.starts.end() && *next == from) {
      seen = from;
      ++next;
    }
    const bool ends = next != stream.starts.end() && *next == from + 1;
    batch.ids[n] = stream.ids[from];
    batch.targets[n] = !ends && stream.counts_at(from + 1) ? stream.ids[from + 1] : -1;
    if (batch.positions.empty()) continue;
    batch.positions[n] = static_cast<int>(from - seen);
    batch.first_seen[n] = static_cast<int>(seen - start);
  }
}

std::int64_t targets_of(const TokenBatch& batch) {
  return std::count_if(batch.targets.begin(), batch.targets.end(),
                       [](std::int32_t target) { return target >= 0; });
}

TokenBatch part_of(const TokenBatch& batch, int first, int count) {
  CHECK(first >= 0 && count > 0 && first + count <= batch.sequences);
  const auto begin = static_cast<std::ptrdiff_t>(first) * batch.time,
             end = begin + static_cast<std::ptrdiff_t>(count) * batch.time;
  const auto cut = [&](const auto& from, auto& to) {
    if (!from.empty()) to.assign(from.begin() + begin, from.begin() + end);
  };
  TokenBatch part;
  part.sequences = count;
  part.time = batch.time;
  cut(batch.ids, part.ids);
  cut(batch.targets, part.targets);
  cut(batch.positions, part.positions);
  cut(batch.first_seen, part.first_seen);
  return part;
}

Batches::Batches(const TokenStream& stream, const TrainPlan& plan)
    : stream_(&stream),
      window_(plan.base.window),
      sequences_(plan.base.batch * plan.accumulate),
      order_(plan.order),
      seed_(plan.base.seed),
      rng_(plan.base.seed, kWindowStream) {
  if (order_ != Order::kWindows) rows_ = pack(stream, window_);
}

Result<Batches> Batches::make(const TokenStream& stream, const TrainPlan& plan) {
  if (plan.order == Order::kWindows && stream.size() <= static_cast<std::size_t>(plan.base.window))
    return fail(Code::kBadInput,
                "the text has " + std::to_string(stream.size()) + " tokens; one window needs " +
                    std::to_string(plan.base.window + 1) + ": give more text or a shorter window");
  Batches batches(stream, plan);
  if (freshet::targets_of(stream) == 0 || (plan.order != Order::kWindows && batches.rows_.empty()))
    return fail(Code::kBadInput,
                "the text holds nothing to learn from: no token of it that counts follows another");
  return batches;
}

int Batches::steps_per_epoch() const {
  return static_cast<int>((rows_.size() + static_cast<std::size_t>(sequences_) - 1) /
                          static_cast<std::size_t>(sequences_));
}

std::size_t Batches::draw() {
  return rng_.below(stream_->size() - static_cast<std::size_t>(window_));
}

const PackedRow& Batches::packed_row() {
  const std::uint64_t epoch = taken_ / rows_.size(), place = taken_ % rows_.size();
  ++taken_;
  if (order_ == Order::kSequential) return rows_[place];
  if (place == 0 || epoch_.empty()) epoch_ = epoch_order(rows_.size(), seed_, epoch);
  return rows_[epoch_[place]];
}

TokenBatch Batches::next() {
  TokenBatch batch = empty_batch(sequences_, window_);
  for (int row = 0; row < sequences_; ++row) {
    if (order_ == Order::kWindows)
      fill_window(*stream_, draw(), row, batch);
    else
      fill_pieces(*stream_, packed_row(), row, batch);
  }
  return batch;
}

void Batches::skip(int steps) {
  const std::uint64_t rows =
      static_cast<std::uint64_t>(steps) * static_cast<std::uint64_t>(sequences_);
  if (order_ == Order::kWindows)
    for (std::uint64_t i = 0; i < rows; ++i) draw();
  taken_ += rows;
  epoch_.clear();
}

}  // namespace freshet
