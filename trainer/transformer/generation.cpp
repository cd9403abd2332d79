#include "trainer/transformer/generation.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

#include "model/tokenizer/stream_decoder.h"
#include "trainer/transformer/decoder.h"
#include "trainer/transformer/sampler.h"
#include "trainer/transformer/stop_texts.h"

namespace freshet {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The text of the ids, as far as it can be shown.
class TextOut {
 public:
  TextOut(const Tokenizer* tokenizer, std::span<const TokenId> prompt, const GeneratePlan& plan,
          const OnPiece& on_piece)
      : stops_(plan.stops), on_piece_(on_piece) {
    if (tokenizer != nullptr) decoder_.emplace(*tokenizer, !tokenizer->decode(prompt).empty());
  }

  void put(TokenId id) {
    if (decoder_) show(stops_.put(decoder_->put(id)));
  }
  void finish() {
    if (!decoder_ || stops_.found()) return;
    show(stops_.put(decoder_->finish()));
    show(stops_.finish());
  }
  bool stopped() const { return stops_.found(); }
  std::string take() { return std::move(text_); }

 private:
  void show(const std::string& piece) {
    if (piece.empty()) return;
    text_ += piece;
    if (on_piece_) on_piece_(piece);
  }

  std::optional<StreamDecoder> decoder_;
  StopTexts stops_;
  const OnPiece& on_piece_;
  std::string text_;
};

}  // namespace

Result<Generated> generate(const Transformer& model, const Lora& lora, const Tokenizer* tokenizer,
                           std::span<const TokenId> prompt, const GeneratePlan& plan,
                           const OnPiece& on_piece) {
  const auto open = [&](int positions) -> FeedTokens {
    const auto decoder = std::make_shared<Decoder>(model, lora, positions);
    return [decoder](std::span<const TokenId> ids) { return decoder->feed(ids); };
  };
  return generate({model.config.max_positions, model.config.vocab_size, open}, tokenizer, prompt,
                  plan, on_piece);
}

Result<Generated> generate(const Writer& writer, const Tokenizer* tokenizer,
                           std::span<const TokenId> prompt, const GeneratePlan& plan,
                           const OnPiece& on_piece) {
  const auto positions = static_cast<std::size_t>(writer.positions),
             vocab = static_cast<std::size_t>(writer.vocab);
  if (prompt.empty()) return fail(Code::kBadInput, "the prompt is empty: give at least one token");
  if (prompt.size() >= positions)
    return fail(Code::kBadInput, "the prompt has " + std::to_string(prompt.size()) +
                                     " tokens; this model has room for " +
                                     std::to_string(positions - 1) + " and one more");
  const Clock::time_point start = Clock::now();
  const std::size_t count_max =
      std::min(positions - prompt.size(), static_cast<std::size_t>(std::max(plan.tokens_max, 0)));
  const FeedTokens feed = writer.open(static_cast<int>(prompt.size() + count_max));
  TRY_ASSIGN(const float* logits, feed(prompt));
  Sampler sampler(plan, writer.vocab);
  for (const TokenId id : prompt) sampler.see(id);
  TextOut text(tokenizer, prompt, plan, on_piece);
  Generated out;
  out.prompt_logits.assign(logits, logits + vocab);
  out.prompt_seconds = seconds_since(start);
  while (out.ids.size() < count_max) {
    const TokenId next = sampler.choose({logits, vocab});
    if (next < 0)
      return fail(
          Code::kBadInput,
          "the model gives no number for any token; its weights or the adapter are damaged");
    if (std::find(plan.eos_ids.begin(), plan.eos_ids.end(), next) != plan.eos_ids.end()) {
      out.stopped = Stopped::kEos;
      break;
    }
    out.ids.push_back(next);
    text.put(next);
    if (text.stopped()) {
      out.stopped = Stopped::kStop;
      break;
    }
    if (out.ids.size() == count_max) break;
    sampler.see(next);
    TRY_ASSIGN(logits, feed({&next, 1}));
  }
  text.finish();
  out.text = text.take();
  out.seconds = seconds_since(start) - out.prompt_seconds;
  return out;
}

}  // namespace freshet
