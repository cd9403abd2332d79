#pragma once
// A prompt continued: decoder, sampler and the text that comes out, piece by piece.

#include <functional>
#include <span>
#include <string_view>

#include "trainer/generate.h"
#include "trainer/transformer/lora.h"
#include "trainer/transformer/transformer.h"

namespace freshet {

using OnPiece =
    std::function<void(std::string_view)>;  // whole characters, but for bytes that are part of none

// Without a tokenizer there is no text, and stop texts are not found. `on_piece` may be empty.
// kBadInput for an empty prompt, an id outside the vocabulary, a prompt that fills the model's
// positions, or a model that gives no number.
Result<Generated> generate(const Transformer& model, const Lora& lora, const Tokenizer* tokenizer,
                           std::span<const TokenId> prompt, const GeneratePlan& plan,
                           const OnPiece& on_piece = {});

// What appends tokens and gives the logits [V] after the last of them, as Decoder::feed does.
using FeedTokens = std::function<Result<const float*>(std::span<const TokenId>)>;

// Several models that write together, or one.
struct Writer {
  int positions = 0, vocab = 0;                   // of the one with the fewest positions
  std::function<FeedTokens(int positions)> open;  // with room for so many tokens
};

Result<Generated> generate(const Writer& writer, const Tokenizer* tokenizer,
                           std::span<const TokenId> prompt, const GeneratePlan& plan,
                           const OnPiece& on_piece = {});

}  // namespace freshet
