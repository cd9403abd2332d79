#include "model/tokenizer/stream_decoder.h"

#include <algorithm>

#include "model/tokenizer/utf8.h"

namespace freshet {
namespace {

// Bytes at the end of `text` that a character could still begin with: up to 3.
std::size_t unfinished_bytes(std::string_view text) {
  static constexpr std::string_view kContinuations[] = {"\x80\x80\x80", "\x90\x80\x80",
                                                        "\xA0\x80\x80", "\xBF\xBF\xBF"};
  for (std::size_t bytes = std::min<std::size_t>(3, text.size()); bytes > 0; --bytes) {
    const std::string tail(text.substr(text.size() - bytes));
    if (static_cast<unsigned char>(tail[0]) < 0xC2) continue;
    for (std::size_t total = bytes + 1; total <= 4; ++total)
      for (std::string_view rest : kContinuations)
        if (utf8_character_bytes(tail + std::string(rest.substr(0, total - bytes))) == total)
          return bytes;
  }
  return 0;
}

}  // namespace

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool continues)
    : tokenizer_(&tokenizer), continues_(continues), start_(!continues) {}

std::string StreamDecoder::put(TokenId id) {
  std::string_view bytes = tokenizer_->bytes_of(id);
  if (bytes.empty()) return "";
  const std::string_view dropped = tokenizer_->dropped_at_start();
  if (start_ && !dropped.empty() && bytes.starts_with(dropped)) bytes.remove_prefix(dropped.size());
  start_ = false;
  std::string text = std::move(held_);
  text += bytes;
  held_ = text.substr(text.size() - unfinished_bytes(text));
  text.resize(text.size() - held_.size());
  return text;
}

std::string StreamDecoder::finish() {
  start_ = !continues_;
  return std::exchange(held_, "");
}

}  // namespace freshet
