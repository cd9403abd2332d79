#include "cli/demo/encoded_runs.h"

#include <array>

namespace freshet::demo {
namespace {

using Alphabet = std::array<std::int8_t, 256>;  // the value of a character; -1: not of the alphabet

constexpr Alphabet make_alphabet(std::string_view digits) {
  Alphabet alphabet{};
  for (auto& value : alphabet) value = -1;
  for (std::size_t i = 0; i < digits.size(); ++i)
    alphabet[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
  return alphabet;
}

constexpr Alphabet make_hex() {
  Alphabet alphabet = make_alphabet("0123456789abcdef");
  for (char c = 'A'; c <= 'F'; ++c)
    alphabet[static_cast<unsigned char>(c)] = static_cast<std::int8_t>(c - 'A' + 10);
  return alphabet;
}

constexpr Alphabet make_base64() {
  Alphabet alphabet =
      make_alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
  alphabet['-'] = 62;
  alphabet['_'] = 63;
  return alphabet;
}

constexpr Alphabet kHex = make_hex(), kBase64 = make_base64();

Bytes decode(ByteView run, const Alphabet& alphabet, unsigned bits) {
  Bytes bytes;
  bytes.reserve(run.size() * bits / 8);
  std::uint32_t held = 0;
  unsigned held_bits = 0;
  for (std::uint8_t c : run) {
    held = held << bits | static_cast<std::uint32_t>(alphabet[c]);
    held_bits += bits;
    if (held_bits < 8) continue;
    held_bits -= 8;
    bytes.push_back(static_cast<std::uint8_t>(held >> held_bits));
  }
  return bytes;
}

void for_each_run(ByteView text, const Alphabet& alphabet, unsigned bits, std::size_t bytes_min,
                  const OnDecoded& on_decoded) {
  std::size_t alignments = bits == 4 ? 2 : 4;
  for (std::size_t from = 0; from < text.size();) {
    if (alphabet[text[from]] < 0) {
      ++from;
      continue;
    }
    std::size_t to = from;
    while (to < text.size() && alphabet[text[to]] >= 0) ++to;
    for (std::size_t skip = 0;
         skip < alignments && (to - from - skip) * bits / 8 >= bytes_min && from + skip < to;
         ++skip)
      on_decoded(decode(text.subspan(from + skip, to - from - skip), alphabet, bits));
    from = to;
  }
}

}  // namespace

void for_each_hex_run(ByteView text, std::size_t bytes_min, const OnDecoded& on_decoded) {
  for_each_run(text, kHex, 4, bytes_min, on_decoded);
}

void for_each_base64_run(ByteView text, std::size_t bytes_min, const OnDecoded& on_decoded) {
  for_each_run(text, kBase64, 6, bytes_min, on_decoded);
}

}  // namespace freshet::demo
