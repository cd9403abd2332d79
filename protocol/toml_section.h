#pragma once
// TOML documents read strictly, section by section: a wrong value and an unknown key are refused by
// name and line. For the files of protocol/ alone, which owns the library; include it only in
// sources.

#include <fmt/core.h>
#include <toml++/toml.h>

#include <algorithm>
#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/plan.h"

namespace freshet::toml_file {

// "did you mean x?" for a slip of the finger, else all there is.
std::string suggestion(std::string_view unknown, const std::vector<std::string_view>& known);
std::string_view kind_of(const toml::node& node);        // "a text", "a list", ...
Result<Fraction> fraction_named(std::string_view text);  // "1/3"

// Reads the keys of one section into variables, which keep their defaults where a key is absent.
// The first mistake is kept; finish() gives it, or else the first key that nobody asked for.
class Section {
 public:
  Section(const toml::table& root, std::string_view name, std::string_view source)
      : name_(name), source_(source) {
    const toml::node* node = root.get(name);
    if (node == nullptr) return;
    table_ = node->as_table();
    if (table_ == nullptr)
      note(*node, fmt::format("{} is {}: write it as a section, [{}]", name, kind_of(*node), name));
  }

  bool has(std::string_view key) const { return table_ != nullptr && table_->contains(key); }
  bool is_there() const { return table_ != nullptr; }

  void text(std::string_view key, std::string& to) {
    if (const toml::node* node = find(key, "a text", toml::node_type::string))
      to = **node->as_string();
  }

  void flag(std::string_view key, bool& to) {
    if (const toml::node* node = find(key, "true or false", toml::node_type::boolean))
      to = **node->as_boolean();
  }

  template <std::integral T>
  void whole(std::string_view key, T& to) {
    const toml::node* node = find(key, "a whole number", toml::node_type::integer);
    if (node == nullptr) return;
    const std::int64_t value = **node->as_integer();
    if (std::in_range<T>(value))
      to = static_cast<T>(value);
    else
      note(*node, fmt::format("[{}] {} is {}: it must be in [{}, {}]", name_, key, value,
                              std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  }

  template <std::floating_point T>
  void real(std::string_view key, T& to) {
    const toml::node* node =
        find(key, "a number", toml::node_type::floating_point, toml::node_type::integer);
    if (node != nullptr) to = static_cast<T>(*node->value<double>());
  }

  void texts(std::string_view key, std::vector<std::string>& to) {
    const toml::node* node = find(key, "a list of texts", toml::node_type::array);
    if (node == nullptr) return;
    to.clear();
    for (const toml::node& item : *node->as_array()) {
      if (!item.is_string())
        return note(item, fmt::format("[{}] {} holds {}: it must be a list of texts", name_, key,
                                      kind_of(item)));
      to.push_back(**item.as_string());
    }
  }

  // A name that `named` turns into the value.
  template <class T, class Named>
  void choice(std::string_view key, T& to, Named named) {
    const toml::node* node = find(key, "a text", toml::node_type::string);
    if (node == nullptr) return;
    auto chosen = named(std::string_view(**node->as_string()));
    if (chosen)
      to = std::move(*chosen);
    else
      note(*node, fmt::format("[{}] {}: {}", name_, key, chosen.error().what));
  }

  // A list of such names.
  template <class T, class Named>
  void choices(std::string_view key, std::vector<T>& to, Named named) {
    std::vector<std::string> names;
    texts(key, names);
    if (error_ || !has(key)) return;
    to.clear();
    for (const std::string& name : names) {
      auto chosen = named(std::string_view(name));
      if (!chosen)
        return note(*table_->get(key), fmt::format("[{}] {}: {}", name_, key, chosen.error().what));
      to.push_back(std::move(*chosen));
    }
  }

  void require(std::string_view key, std::string_view how) {
    if (!error_ && !has(key))
      error_ = fmt::format("{}: [{}] has no {}: {}", source_, name_, key, how);
  }

  Result<void> finish() const {
    if (error_) return fail(Code::kBadInput, *error_);
    if (table_ == nullptr) return {};
    for (const auto& [key, node] : *table_)
      if (std::find(known_.begin(), known_.end(), key.str()) == known_.end())
        return fail(Code::kBadInput, fmt::format("{}:{}: unknown key \"{}\" in [{}]: {}", source_,
                                                 key.source().begin.line, key.str(), name_,
                                                 suggestion(key.str(), known_)));
    return {};
  }

 private:
  template <class... Types>
  const toml::node* find(std::string_view key, std::string_view wanted, Types... types) {
    known_.push_back(key);
    const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
    if (node == nullptr || ((node->type() == types) || ...)) return node;
    note(*node, fmt::format("[{}] {} is {}: it must be {}", name_, key, kind_of(*node), wanted));
    return nullptr;
  }

  void note(const toml::node& node, std::string what) {
    if (!error_) error_ = fmt::format("{}:{}: {}", source_, node.source().begin.line, what);
  }

  std::string_view name_, source_;
  const toml::table* table_ = nullptr;
  std::vector<std::string_view> known_;
  std::optional<std::string> error_;
};

struct Document {
  const toml::table& root;
  std::string_view source;
  Section section(std::string_view name) const { return {root, name, source}; }
  Result<void> check_sections(const std::vector<std::string_view>& known) const;
};

}  // namespace freshet::toml_file
