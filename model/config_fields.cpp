#include "model/config_fields.h"

#include <fmt/core.h>

#include "base/limits.h"

namespace freshet::config {

tl::unexpected<Error> bad(const Source& source, const std::string& what) {
  return fail(Code::kBadInput, std::string(source.name) + ": " + what);
}

Result<void> check_fixed(const Source& source, std::initializer_list<FixedOption> options) {
  for (const FixedOption& option : options) {
    const auto found = source.json.find(option.key);
    if (found == source.json.end() || found->is_null() || *found == option.only) continue;
    return bad(source, fmt::format("\"{}\": {} is not supported; Freshet runs models with {} {}",
                                   option.key, to_text(*found), option.key, to_text(option.only)));
  }
  return {};
}

Result<void> check_class(const Source& source, std::string_view name) {
  const auto found = source.json.find("architectures");
  if (found == source.json.end() || found->is_null()) return {};
  if (found->is_array() && found->size() == 1 && (*found)[0] == name) return {};
  return bad(source, "architectures " + to_text(*found) +
                         " is not supported; of this model type Freshet runs " + std::string(name));
}

namespace {

Result<int> int_from(const Source& source, const char* key, const Json& value, Range range) {
  if (!value.is_number_integer()) return bad(source, fmt::format("\"{}\" is not an integer", key));
  const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{1}
                                                                                   << 62;
  const std::int64_t number = huge ? 0 : value.get<std::int64_t>();
  if (huge || number < range.low || number > range.high)
    return bad(source, fmt::format("\"{}\" is {}, outside {} to {}", key, to_text(value), range.low,
                                   range.high));
  return static_cast<int>(number);
}

}  // namespace

Result<int> int_of(const Source& source, const char* key, Range range) {
  const auto found = source.json.find(key);
  if (found == source.json.end()) return bad(source, fmt::format("no \"{}\"", key));
  return int_from(source, key, *found, range);
}

Result<int> int_or(const Source& source, const char* key, int absent, Range range) {
  const auto found = source.json.find(key);
  if (found == source.json.end() || found->is_null()) return absent;
  return int_from(source, key, *found, range);
}

Result<float> eps_of(const Source& source, const char* key, double absent) {
  TRY_ASSIGN(const double wide, json_get_or<double>(source.json, key, absent, source.name));
  const auto eps = static_cast<float>(wide);
  if (!(eps > 0 && eps < 1)) return bad(source, fmt::format("\"{}\" is outside 0 to 1", key));
  return eps;
}

Result<std::vector<int>> ids_of(const Source& source, const char* key, std::vector<int> absent) {
  const auto found = source.json.find(key);
  if (found == source.json.end()) return absent;
  std::vector<int> ids;
  if (found->is_null()) return ids;
  if (!found->is_array()) {
    TRY_ASSIGN(const int id, int_from(source, key, *found, {-1, limits::kVocabularyMax}));
    if (id >= 0) ids.push_back(id);
    return ids;
  }
  if (found->size() > limits::kEndIdsMax)
    return bad(source, fmt::format("\"{}\" lists more than {} ids", key, limits::kEndIdsMax));
  for (const Json& each : *found) {
    TRY_ASSIGN(const int id, int_from(source, key, each, {0, limits::kVocabularyMax}));
    ids.push_back(id);
  }
  return ids;
}

Result<int> id_of(const Source& source, const char* key, int absent) {
  TRY_ASSIGN(const std::vector<int> ids, ids_of(source, key, {absent}));
  return ids.empty() ? -1 : ids.front();
}

Json decimal(float value) { return std::stod(fmt::format("{}", value)); }

Json id_or_null(int id) { return id < 0 ? Json(nullptr) : Json(id); }

Json ids_or_null(const std::vector<int>& ids) {
  if (ids.empty()) return nullptr;
  return ids.size() == 1 ? Json(ids.front()) : Json(ids);
}

}  // namespace freshet::config
