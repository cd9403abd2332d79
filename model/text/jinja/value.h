#pragma once
// What a chat template computes with. Every byte of text carries a mark that says where it came
// from, so that after any joining and cutting it is still known what the template wrote and what
// people wrote.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace freshet::jinja {

inline constexpr char kTemplateMark = 't';

struct MarkedText {
  std::string chars;
  std::string marks;  // one for each byte of chars
  MarkedText() = default;
  MarkedText(std::string_view text, char mark) : chars(text), marks(text.size(), mark) {}
  MarkedText part(std::size_t first, std::size_t count) const;
  void append(const MarkedText& other) {
    chars += other.chars;
    marks += other.marks;
  }
};

struct Undefined {};
struct None {};
struct Value;
using List = std::vector<Value>;
using Dict = std::map<std::string, Value>;

struct Value {
  std::variant<Undefined, None, bool, std::int64_t, std::shared_ptr<const MarkedText>,
               std::shared_ptr<const List>, std::shared_ptr<Dict>>
      held;

  Value() = default;
  explicit Value(None) : held(None{}) {}
  explicit Value(bool value) : held(value) {}
  explicit Value(std::int64_t value) : held(value) {}
  explicit Value(MarkedText text) : held(std::make_shared<const MarkedText>(std::move(text))) {}
  explicit Value(List list) : held(std::make_shared<const List>(std::move(list))) {}
  explicit Value(Dict dict) : held(std::make_shared<Dict>(std::move(dict))) {}
  static Value text(std::string_view text) { return Value(MarkedText(text, kTemplateMark)); }

  bool is_undefined() const { return std::holds_alternative<Undefined>(held); }
  bool is_none() const { return std::holds_alternative<None>(held); }
  const bool* boolean() const { return std::get_if<bool>(&held); }
  const std::int64_t* number() const { return std::get_if<std::int64_t>(&held); }
  const MarkedText* text() const;  // null: not a text; the same for the next two
  const List* list() const;
  Dict* dict() const;

  bool truth() const;
  bool equals(const Value& other) const;  // lists and dicts: the very same one
};

std::string_view type_name(const Value& value);

std::size_t bytes_of(const Value& value);  // of all that it holds, about

// What the template itself wrote of a text; people's words are private and stay out of errors.
std::string own_words(const MarkedText& text);

// Python's str.strip() with no argument, or with the characters of `of`.
MarkedText stripped(const MarkedText& text, bool left, bool right, std::string_view of = {});

}  // namespace freshet::jinja
