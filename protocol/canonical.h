#pragma once
// Bytes that name something: digests and authenticated contexts are taken over them. Every value
// has one form: numbers little-endian in their full width, floats by their bits, texts and lists
// behind a u32 count.

#include <bit>
#include <concepts>
#include <string_view>

#include "base/bytes.h"

namespace freshet {

class CanonicalBytes {
 public:
  CanonicalBytes& text(std::string_view value);
  CanonicalBytes& raw(ByteView value);  // of a length that the reader knows

  template <std::unsigned_integral T>
  CanonicalBytes& number(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
      bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    return *this;
  }
  CanonicalBytes& number(float value) { return number(std::bit_cast<std::uint32_t>(value)); }
  CanonicalBytes& number(double value) { return number(std::bit_cast<std::uint64_t>(value)); }

  const Bytes& view() const { return bytes_; }

 private:
  Bytes bytes_;
};

}  // namespace freshet
