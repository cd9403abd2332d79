#pragma once
// The parts that durable forms are made of, for campaign_record.cpp: numbers little-endian in their
// full width, lists and texts behind a u32 count. Every form is described once, and walked by a
// Writer over const values or by a Reader over mutable ones.

#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/limits.h"

namespace freshet::record_io {

inline constexpr std::int64_t kInstantMax = std::int64_t{1} << 53,
                              kDurationMax = std::int64_t{1} << 40;

class Writer {
 public:
  static constexpr bool kReads = false;
  Bytes bytes;

  void number(std::integral auto value) {
    using Wide = std::make_unsigned_t<decltype(value)>;
    for (std::size_t i = 0; i < sizeof(Wide); ++i)
      bytes.push_back(static_cast<std::uint8_t>(static_cast<Wide>(value) >> (8 * i)));
  }
  void raw(ByteView view) { bytes.insert(bytes.end(), view.begin(), view.end()); }
  void require(bool) {}
};

class Reader {
 public:
  static constexpr bool kReads = true;
  explicit Reader(ByteView view) : rest_(view) {}

  template <std::integral T>
  void number(T& value) {
    std::make_unsigned_t<T> wide = 0;
    if (!has(sizeof wide)) return;
    for (std::size_t i = 0; i < sizeof wide; ++i)
      wide = static_cast<decltype(wide)>(wide | (static_cast<decltype(wide)>(rest_[i]) << (8 * i)));
    rest_ = rest_.subspan(sizeof wide);
    value = static_cast<T>(wide);
  }
  void raw(std::span<std::uint8_t> out) {
    if (!has(out.size())) return;
    std::copy_n(rest_.begin(), out.size(), out.begin());
    rest_ = rest_.subspan(out.size());
  }
  void require(bool holds) { good_ = good_ && holds; }
  bool has(std::size_t count) {
    require(rest_.size() >= count);
    return good_;
  }
  bool good() const { return good_; }
  bool done() const { return good_ && rest_.empty(); }

 private:
  ByteView rest_;
  bool good_ = true;
};

// ---- forms of parts. `io` is a Writer over const values or a Reader over mutable ones

void put(auto& io, std::integral auto& value) { io.number(value); }
void put(auto& io, Digest& value) { io.raw(value); }
void put(auto& io, const Digest& value) { io.raw(value); }
template <class Tag>
void put(auto& io, Id<Tag>& id) {
  io.number(id.value);
}
template <class Tag>
void put(auto& io, const Id<Tag>& id) {
  io.number(id.value);
}

template <class T, class Like>
concept Is = std::same_as<std::remove_const_t<T>, Like>;

// An Instant that a duration was added to may lie that much later.
void put_deadline(auto& io, Is<Instant> auto& at) {
  io.number(at.ms);
  io.require(at.ms >= -kInstantMax && at.ms <= kInstantMax + kDurationMax);
}

void put(auto& io, Is<Instant> auto& at) {
  io.number(at.ms);
  io.require(at.ms >= -kInstantMax && at.ms <= kInstantMax);
}

void flag(auto& io, auto& value) {
  auto byte = static_cast<std::uint8_t>(value);
  io.number(byte);
  io.require(byte <= 1);
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) value = byte == 1;
}

template <class Enum>
void choice(auto& io, auto& value, Enum last) {
  auto byte = static_cast<std::uint8_t>(value);
  io.number(byte);
  io.require(byte <= static_cast<std::uint8_t>(last));
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) value = static_cast<Enum>(byte);
}

void put(auto& io, Is<std::string> auto& text) {
  auto size = static_cast<std::uint32_t>(text.size());
  io.number(size);
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) {
    io.require(size <= limits::kReasonBytesMax);
    if (!io.has(size)) return;
    text.resize(size);
    io.raw({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  } else {
    io.raw(as_bytes(text));
  }
}

template <class T>
void put(auto& io, std::optional<T>& value) {
  bool there = false;
  flag(io, there);
  if (there) put(io, value.emplace());
}
template <class T>
void put(auto& io, const std::optional<T>& value) {
  bool there = value.has_value();
  flag(io, there);
  if (value) put(io, *value);
}

// Calls each(element) for the elements of a sequence, which a Reader first makes as long as the
// bytes allow.
void sequence(auto& io, auto& elements, std::size_t most, auto each) {
  auto size = static_cast<std::uint32_t>(elements.size());
  io.number(size);
  io.require(size <= most);
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) {
    if (!io.has(size)) return;  // every element takes at least a byte
    elements.resize(size);
  }
  for (auto& element : elements) each(element);
}

void rising(auto& io, const auto& elements, auto key) {
  for (std::size_t i = 1; i < elements.size(); ++i)
    io.require(key(elements[i - 1]) < key(elements[i]));
}

}  // namespace freshet::record_io
