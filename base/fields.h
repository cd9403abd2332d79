#pragma once
// Small documents of fixed form: numbers little-endian in their full width, texts and byte strings
// behind a u32 count, fixed bytes as they are. A reader that ran over the end gives zeros from then
// on and says so in the end, so that reading code need not ask after every field.

#include <concepts>
#include <string>

#include "base/bytes.h"

namespace freshet {

class FieldWriter {
 public:
  template <std::unsigned_integral T>
  FieldWriter& number(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
      bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    return *this;
  }
  FieldWriter& time(std::int64_t value) { return number(static_cast<std::uint64_t>(value)); }
  FieldWriter& fixed(ByteView value) {
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    return *this;
  }
  FieldWriter& counted(ByteView value) {
    return number(static_cast<std::uint32_t>(value.size())).fixed(value);
  }
  FieldWriter& text(std::string_view value) { return counted(as_bytes(value)); }

  const Bytes& view() const { return bytes_; }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

class FieldReader {
 public:
  explicit FieldReader(ByteView bytes) : left_(bytes) {}

  template <std::unsigned_integral T>
  T number() {
    T value = 0;
    const ByteView bytes = fixed(sizeof(T));
    for (std::size_t i = 0; i < bytes.size(); ++i)
      value = static_cast<T>(value | static_cast<T>(T{bytes[i]} << (8 * i)));
    return value;
  }
  std::int64_t time() { return static_cast<std::int64_t>(number<std::uint64_t>()); }
  ByteView fixed(std::size_t count) {  // empty once something is missing
    if (count > left_.size()) {
      short_ = true;
      left_ = {};
      return {};
    }
    const ByteView taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }
  template <std::size_t N>
  void fixed_into(std::array<std::uint8_t, N>& out) {
    const ByteView bytes = fixed(N);
    for (std::size_t i = 0; i < bytes.size(); ++i) out[i] = bytes[i];
  }
  ByteView counted(std::size_t bytes_max) {
    const auto count = number<std::uint32_t>();
    if (count > bytes_max) short_ = true;
    return fixed(short_ ? left_.size() + 1 : count);
  }
  std::string text(std::size_t bytes_max) { return std::string(as_text(counted(bytes_max))); }

  std::size_t left() const { return left_.size(); }
  bool failed() const { return short_; }
  bool done() const { return !short_ && left_.empty(); }  // all of it, and nothing more

 private:
  ByteView left_;
  bool short_ = false;
};

}  // namespace freshet
