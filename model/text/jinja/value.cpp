#include "model/text/jinja/value.h"

#include <array>

namespace freshet::jinja {
namespace {

// Python's white space as UTF-8.
constexpr std::array<std::string_view, 29> kSpaces = {
    "\t",           "\n",           "\v",           "\f",           "\r",
    "\x1C",         "\x1D",         "\x1E",         "\x1F",         " ",
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81",
    "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86",
    "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8",
    "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};

std::size_t bytes_to_strip(std::string_view text, bool at_end, std::string_view of) {
  if (text.empty()) return 0;
  if (!of.empty())
    return of.find(at_end ? text.back() : text.front()) != std::string_view::npos ? 1 : 0;
  for (const std::string_view space : kSpaces)
    if (at_end ? text.ends_with(space) : text.starts_with(space)) return space.size();
  return 0;
}

}  // namespace

MarkedText MarkedText::part(std::size_t first, std::size_t count) const {
  MarkedText result;
  result.chars = chars.substr(first, count);
  result.marks = marks.substr(first, count);
  return result;
}

const MarkedText* Value::text() const {
  const auto* found = std::get_if<std::shared_ptr<const MarkedText>>(&held);
  return found == nullptr ? nullptr : found->get();
}

const List* Value::list() const {
  const auto* found = std::get_if<std::shared_ptr<const List>>(&held);
  return found == nullptr ? nullptr : found->get();
}

Dict* Value::dict() const {
  const auto* found = std::get_if<std::shared_ptr<Dict>>(&held);
  return found == nullptr ? nullptr : found->get();
}

bool Value::truth() const {
  if (boolean() != nullptr) return *boolean();
  if (number() != nullptr) return *number() != 0;
  if (text() != nullptr) return !text()->chars.empty();
  if (list() != nullptr) return !list()->empty();
  return dict() != nullptr && !dict()->empty();
}

bool Value::equals(const Value& other) const {
  if (text() != nullptr && other.text() != nullptr) return text()->chars == other.text()->chars;
  const auto as_number = [](const Value& value, std::int64_t& number) {
    if (value.boolean() != nullptr) number = *value.boolean() ? 1 : 0;
    if (value.number() != nullptr) number = *value.number();
    return value.boolean() != nullptr || value.number() != nullptr;
  };
  std::int64_t a = 0, b = 0;
  if (as_number(*this, a) && as_number(other, b)) return a == b;
  if (list() != nullptr || dict() != nullptr)
    return list() == other.list() && dict() == other.dict();
  return (is_none() && other.is_none()) || (is_undefined() && other.is_undefined());
}

std::string_view type_name(const Value& value) {
  constexpr std::array<std::string_view, 7> kNames = {"undefined", "none", "boolean",   "number",
                                                      "text",      "list", "dictionary"};
  return kNames[value.held.index()];
}

std::string own_words(const MarkedText& text) {
  constexpr std::size_t kBytesMax = 256;
  std::string words;
  bool left_out = false;
  for (std::size_t i = 0; i < text.chars.size() && words.size() < kBytesMax; ++i) {
    const bool own = text.marks[i] == kTemplateMark;
    if (own)
      words += text.chars[i];
    else if (!left_out)
      words += "...";
    left_out = !own;
  }
  return words;
}

std::size_t bytes_of(const Value& value) {
  std::size_t bytes = 16;
  if (value.text() != nullptr) bytes += value.text()->chars.size();
  if (value.list() != nullptr)
    for (const Value& item : *value.list()) bytes += bytes_of(item);
  if (value.dict() != nullptr)
    for (const auto& [key, item] : *value.dict()) bytes += key.size() + bytes_of(item);
  return bytes;
}

MarkedText stripped(const MarkedText& text, bool left, bool right, std::string_view of) {
  std::string_view rest = text.chars;
  std::size_t first = 0;
  while (left) {
    const std::size_t bytes = bytes_to_strip(rest, false, of);
    if (bytes == 0) break;
    rest.remove_prefix(bytes);
    first += bytes;
  }
  while (right) {
    const std::size_t bytes = bytes_to_strip(rest, true, of);
    if (bytes == 0) break;
    rest.remove_suffix(bytes);
  }
  return text.part(first, rest.size());
}

}  // namespace freshet::jinja
