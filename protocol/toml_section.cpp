#include "protocol/toml_section.h"

#include <fmt/format.h>

#include <charconv>
#include <numeric>

namespace freshet::toml_file {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string suggestion(std::string_view unknown, const std::vector<std::string_view>& known) {
  constexpr std::size_t kLongest = 64;  // an edit distance over more is no slip
  std::string_view best;
  std::size_t least = 3;
  for (const auto name : known) {
    const std::size_t distance =
        unknown.size() <= kLongest ? edit_distance(unknown, name) : kLongest;
    if (distance < std::min(least, name.size())) best = name, least = distance;
  }
  if (!best.empty()) return fmt::format("did you mean \"{}\"?", best);
  return fmt::format("use {}", fmt::join(known, ", "));
}

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "a list";
    case toml::node_type::string: return "a text";
    case toml::node_type::integer: return "a whole number";
    case toml::node_type::floating_point: return "a number";
    case toml::node_type::boolean: return "true or false";
    default: return "a date or time";
  }
}

Result<Fraction> fraction_named(std::string_view text) {
  Fraction fraction;
  const char* const end = text.data() + text.size();
  const auto part = std::from_chars(text.data(), end, fraction.part);
  const bool slash = part.ec == std::errc() && part.ptr != end && *part.ptr == '/';
  if (slash) {
    const auto whole = std::from_chars(part.ptr + 1, end, fraction.whole);
    if (whole.ec == std::errc() && whole.ptr == end) return fraction;
  }
  return fail(Code::kBadInput, fmt::format("\"{}\" is no fraction: write \"1/3\"", text));
}

Result<void> Document::check_sections(const std::vector<std::string_view>& known) const {
  for (const auto& [key, node] : root)
    if (std::find(known.begin(), known.end(), key.str()) == known.end())
      return fail(Code::kBadInput,
                  fmt::format("{}:{}: unknown section [{}]: {}", source, key.source().begin.line,
                              key.str(), suggestion(key.str(), known)));
  return {};
}

}  // namespace freshet::toml_file
