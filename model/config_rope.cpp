#include "model/config_fields.h"

namespace freshet::config {
namespace {

Result<double> within(const Source& source, const char* key, const double value, double low,
                      double high) {
  if (value >= low && value <= high) return value;
  return bad(source, "\"" + std::string(key) + "\" is outside its range");
}

Result<RopeScaling> read_llama3(const Source& place) {
  RopeScaling rope;
  rope.kind = RopeScaling::Kind::kLlama3;
  TRY_ASSIGN(const double low, json_get<double>(place.json, "low_freq_factor", place.name));
  TRY_ASSIGN(rope.low_frequency_factor, within(place, "low_freq_factor", low, 1e-3, 1e6));
  TRY_ASSIGN(const double high, json_get<double>(place.json, "high_freq_factor", place.name));
  TRY_ASSIGN(rope.high_frequency_factor, within(place, "high_freq_factor", high, 1e-3, 1e6));
  if (rope.high_frequency_factor <= rope.low_frequency_factor)
    return bad(place, "\"high_freq_factor\" is not above \"low_freq_factor\"");
  TRY_ASSIGN(rope.original_positions,
             int_of(place, "original_max_position_embeddings", kPositionCounts));
  return rope;
}

// One object of rotary options, from either place.
Result<RopeScaling> read_scaling(const Source& place) {
  if (!place.json.is_object()) return bad(place, "the rotary options are not an object");
  TRY_ASSIGN(const std::string old,
             json_get_or<std::string>(place.json, "type", "default", place.name));
  TRY_ASSIGN(const std::string type,
             json_get_or<std::string>(place.json, "rope_type", old, place.name));
  TRY(check_fixed(place, {{"partial_rotary_factor", 1.0}}));
  for (const auto& [key, value] : place.json.items())
    if (value.is_object())
      return bad(place, "rotary options of their own for \"" + key + "\" are not supported");
  if (type == "default") return RopeScaling{};
  RopeScaling rope;
  if (type == "llama3") {
    TRY_ASSIGN(rope, read_llama3(place));
  } else if (type == "linear") {
    rope.kind = RopeScaling::Kind::kLinear;
  } else {
    return bad(place, "rope_type \"" + type +
                          "\" is not supported; Freshet runs \"default\", \"linear\", \"llama3\"");
  }
  TRY_ASSIGN(const double factor, json_get<double>(place.json, "factor", place.name));
  TRY_ASSIGN(rope.factor, within(place, "factor", factor, 1, 1e6));
  return rope;
}

const Json* place_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

Result<void> read_rope(const Source& source, ModelConfig& config) {
  const Json* scaling = place_of(source.json, "rope_scaling");
  const Json* parameters = place_of(source.json, "rope_parameters");
  if (scaling != nullptr) {
    TRY_ASSIGN(config.rope, read_scaling({*scaling, std::string(source.name) + ": rope_scaling"}));
  }
  if (parameters != nullptr) {
    TRY_ASSIGN(const RopeScaling rope,
               read_scaling({*parameters, std::string(source.name) + ": rope_parameters"}));
    if (scaling != nullptr && rope != config.rope)
      return bad(source, "\"rope_scaling\" and \"rope_parameters\" contradict each other");
    config.rope = rope;
  }
  TRY_ASSIGN(config.rope_theta,
             json_get_or<double>(source.json, "rope_theta", config.rope_theta, source.name));
  if (parameters != nullptr && parameters->contains("rope_theta")) {
    TRY_ASSIGN(const double theta, json_get<double>(*parameters, "rope_theta", source.name));
    if (place_of(source.json, "rope_theta") != nullptr && theta != config.rope_theta)
      return bad(source, "\"rope_theta\" and \"rope_parameters\" contradict each other");
    config.rope_theta = theta;
  }
  return {};
}

void write_rope(const ModelConfig& config, Json& json) {
  const RopeScaling& rope = config.rope;
  json["rope_theta"] = config.rope_theta;
  json["rope_scaling"] = nullptr;
  if (rope.kind == RopeScaling::Kind::kLinear)
    json["rope_scaling"] = {{"rope_type", "linear"}, {"factor", rope.factor}};
  if (rope.kind == RopeScaling::Kind::kLlama3)
    json["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", rope.factor},
                            {"low_freq_factor", rope.low_frequency_factor},
                            {"high_freq_factor", rope.high_frequency_factor},
                            {"original_max_position_embeddings", rope.original_positions}};
}

}  // namespace freshet::config
