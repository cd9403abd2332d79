#include "trainer/training/examples.h"

#include <algorithm>

#include "crypto/digest.h"
#include "crypto/keyed_rng.h"
#include "trainer/training/batches.h"
#include "trainer/training/private_gradient.h"

namespace freshet {

std::vector<Piece> examples_of(const TokenStream& stream, int window) {
  std::vector<Piece> examples;
  for (std::size_t document = 0; document < stream.starts.size(); ++document) {
    const std::size_t last = stream.end_of(document) - 1;  // the last id follows nothing further
    for (std::size_t first = stream.starts[document]; first < last;) {
      const auto length =
          static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(window), last - first));
      const Piece piece{first, length};
      if (targets_of(example_batch(stream, piece)) > 0) examples.push_back(piece);
      first += static_cast<std::size_t>(length);
    }
  }
  return examples;
}

Digest text_digest(const TokenStream& stream) {
  Hasher hasher;
  const auto add = [&hasher](ByteView part) {
    const std::uint64_t size = part.size();
    hasher.update(as_bytes(std::span<const std::uint64_t>(&size, 1)));
    hasher.update(part);
  };
  add(as_bytes("freshet/example-text/v1"));
  add(as_bytes(std::span<const TokenId>(stream.ids)));
  add(stream.counts);
  add(as_bytes(std::span<const std::size_t>(stream.starts)));
  return hasher.finish();
}

TokenBatch example_batch(const TokenStream& stream, const Piece& example) {
  TokenBatch batch = empty_batch(1, example.length);
  for (std::size_t i = 0; i < batch.ids.size(); ++i) {
    const std::size_t from = example.first + i;
    batch.ids[i] = stream.ids[from];
    batch.targets[i] = stream.counts_at(from + 1) ? stream.ids[from + 1] : -1;
  }
  return batch;
}

std::vector<std::size_t> draw_examples(const Secret& key, const Digest& training, int step,
                                       std::size_t examples, double rate) {
  KeyedRng rng = rng_of_step(key, "freshet/example-draw/v1", training, step);
  std::vector<std::size_t> drawn;
  for (std::size_t i = 0; i < examples; ++i)
    if (static_cast<double>(rng.next_u64() >> 11) * 0x1p-53 < rate) drawn.push_back(i);
  return drawn;
}

}  // namespace freshet
