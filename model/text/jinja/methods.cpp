#include "model/text/jinja/methods.h"

#include <algorithm>

#include "base/limits.h"

namespace freshet::jinja {
namespace {

tl::unexpected<Error> cannot(const std::string& what, const Value& value) {
  return fail(Code::kBadInput,
              what + " of a " + std::string(type_name(value)) + " is not implemented");
}

// The text of argument `index`, or empty where there is none.
std::string_view text_at(std::span<const Value> arguments, std::size_t index) {
  const MarkedText* text = index < arguments.size() ? arguments[index].text() : nullptr;
  return text == nullptr ? std::string_view() : std::string_view(text->chars);
}

Value with_case(const MarkedText& text, bool upper) {
  MarkedText made = text;
  for (char& c : made.chars) {
    if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return Value(std::move(made));
}

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 128; });
}

Result<Value> split(const MarkedText& text, std::string_view at) {
  if (at.empty()) return fail(Code::kBadInput, "split() without a separator is not implemented");
  List parts;
  std::size_t start = 0;
  for (;;) {
    const std::size_t end = text.chars.find(at, start);
    parts.push_back(Value(text.part(start, end == std::string::npos ? end : end - start)));
    if (end == std::string::npos) return Value(std::move(parts));
    start = end + at.size();
  }
}

Result<void> check_size(const MarkedText& text) {
  if (text.chars.size() <= limits::kRowBytesMax) return {};
  return fail(Code::kBadInput, "it makes too much text");
}

Result<Value> replaced(const MarkedText& text, std::string_view from, const MarkedText& to) {
  MarkedText made;
  std::size_t start = 0;
  for (std::size_t found;
       !from.empty() && (found = text.chars.find(from, start)) != std::string::npos;
       start = found + from.size()) {
    TRY(check_size(made));
    made.append(text.part(start, found - start));
    made.append(to);
  }
  made.append(text.part(start, std::string::npos));
  return Value(std::move(made));
}

Result<Value> text_method(const Value& value, const std::string& name,
                          std::span<const Value> arguments) {
  const MarkedText& text = *value.text();
  const std::string_view first = text_at(arguments, 0);
  const bool plain = arguments.size() <= 1 && (arguments.empty() || arguments[0].text() != nullptr);
  if (name == "replace" && arguments.size() == 2 && arguments[0].text() != nullptr &&
      arguments[1].text() != nullptr)
    return replaced(text, first, *arguments[1].text());
  if (!plain) return cannot(name + "() with these arguments", value);
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    if (!is_ascii(std::string(first))) return cannot(name + "() with these characters", value);
    return Value(stripped(text, name != "rstrip", name != "lstrip", first));
  }
  if (name == "startswith" && arguments.size() == 1) return Value(text.chars.starts_with(first));
  if (name == "endswith" && arguments.size() == 1) return Value(text.chars.ends_with(first));
  if (name == "split") return split(text, first);
  if ((name == "upper" || name == "lower") && is_ascii(text.chars))
    return with_case(text, name == "upper");
  return cannot(name + "()", value);
}

std::int64_t characters_of(const std::string& text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

Result<Value> joined(const List& list, const Value& between) {
  MarkedText made;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0 && between.text() != nullptr) made.append(*between.text());
    TRY_ASSIGN(const MarkedText part, printed(list[i]));
    made.append(part);
    TRY(check_size(made));
  }
  return Value(std::move(made));
}

List items_of(const Dict& dict) {
  List items;
  for (const auto& [key, value] : dict) items.push_back(Value(List{Value::text(key), value}));
  return items;
}

}  // namespace

Result<Value> filtered(const Value& value, const std::string& name,
                       std::span<const Value> arguments) {
  if (name == "default" || name == "d") {
    const bool falls_back = arguments.size() > 1 && arguments[1].truth() && !value.truth();
    if (!value.is_undefined() && !falls_back) return value;
    return arguments.empty() ? Value::text("") : arguments[0];
  }
  if (name == "length" || name == "count") {
    if (value.is_undefined()) return Value(std::int64_t{0});
    if (value.text() != nullptr) return Value(characters_of(value.text()->chars));
    if (value.list() != nullptr) return Value(static_cast<std::int64_t>(value.list()->size()));
    if (value.dict() != nullptr) return Value(static_cast<std::int64_t>(value.dict()->size()));
  }
  if ((name == "trim" || name == "upper" || name == "lower") && value.text() != nullptr)
    return text_method(value, name == "trim" ? "strip" : name, arguments);
  if (name == "replace" && value.text() != nullptr) return text_method(value, name, arguments);
  if (name == "string" || name == "trim") {
    TRY_ASSIGN(MarkedText text, printed(value));
    return Value(name == "trim" ? stripped(text, true, true) : std::move(text));
  }
  if (value.list() != nullptr) {
    const List& list = *value.list();
    if (name == "first") return list.empty() ? Value() : list.front();
    if (name == "last") return list.empty() ? Value() : list.back();
    if (name == "list") return value;
    if (name == "join") return joined(list, arguments.empty() ? Value::text("") : arguments[0]);
  }
  if (name == "items" && value.dict() != nullptr) return Value(items_of(*value.dict()));
  return cannot("the filter \"" + name + "\"", value);
}

Result<bool> tested(const Value& value, const std::string& name, std::span<const Value> arguments) {
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "string") return value.text() != nullptr;
  if (name == "mapping") return value.dict() != nullptr;
  if (name == "boolean") return value.boolean() != nullptr;
  if (name == "true" || name == "false")
    return value.boolean() != nullptr && *value.boolean() == (name == "true");
  if (name == "number") return value.number() != nullptr || value.boolean() != nullptr;
  if (name == "integer") return value.number() != nullptr;
  if (name == "iterable" || name == "sequence")
    return value.text() != nullptr || value.list() != nullptr || value.dict() != nullptr ||
           value.is_undefined();
  if ((name == "odd" || name == "even") && value.number() != nullptr)
    return (*value.number() % 2 != 0) == (name == "odd");
  if ((name == "equalto" || name == "eq" || name == "sameas") && arguments.size() == 1)
    return value.equals(arguments[0]);
  return cannot("the test \"" + name + "\"", value);
}

Result<Value> called(const Value& value, const std::string& name,
                     std::span<const Value> arguments) {
  if (value.text() != nullptr) return text_method(value, name, arguments);
  if (const Dict* dict = value.dict(); dict != nullptr) {
    if (name == "items" && arguments.empty()) return Value(items_of(*dict));
    if (name == "get" && !arguments.empty() && arguments[0].text() != nullptr) {
      const auto found = dict->find(arguments[0].text()->chars);
      if (found != dict->end()) return found->second;
      return arguments.size() > 1 ? arguments[1] : Value(None{});
    }
  }
  return cannot(name + "()", value);
}

Result<MarkedText> printed(const Value& value) {
  if (value.text() != nullptr) return *value.text();
  if (value.is_undefined()) return MarkedText();
  if (value.is_none()) return MarkedText("None", kTemplateMark);
  if (value.boolean() != nullptr)
    return MarkedText(*value.boolean() ? "True" : "False", kTemplateMark);
  if (value.number() != nullptr) return MarkedText(std::to_string(*value.number()), kTemplateMark);
  return cannot("printing", value);
}

Result<bool> contains(const Value& hay, const Value& needle) {
  if (hay.list() != nullptr)
    return std::any_of(hay.list()->begin(), hay.list()->end(),
                       [&](const Value& value) { return value.equals(needle); });
  if (needle.text() != nullptr && hay.text() != nullptr)
    return hay.text()->chars.find(needle.text()->chars) != std::string::npos;
  if (needle.text() != nullptr && hay.dict() != nullptr)
    return hay.dict()->contains(needle.text()->chars);
  return cannot("\"in\"", hay);
}

}  // namespace freshet::jinja
