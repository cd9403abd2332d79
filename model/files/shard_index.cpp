#include "model/files/shard_index.h"

#include <set>

#include "base/json.h"
#include "base/limits.h"

namespace freshet {
namespace {

using SortedJson =
    nlohmann::json;  // a large model has thousands of tensors: lookup must not be linear

// The document, with names that stand twice and deep nesting refused while it is read.
Result<SortedJson> parse_index(std::string_view text, std::string_view source) {
  std::set<std::string> names;
  std::string twice;
  bool deep = false;
  auto watch = [&](int depth, SortedJson::parse_event_t event, SortedJson& value) {
    deep = deep || depth > 4;
    if (event == SortedJson::parse_event_t::key && depth == 2 &&
        !names.insert(value.get<std::string>()).second)
      twice = value.get<std::string>();
    return depth <= 4;
  };
  try {
    SortedJson index = SortedJson::parse(text, watch);
    if (deep || !index.is_object() || !index.contains("weight_map") ||
        !index["weight_map"].is_object())
      return fail(Code::kBadInput,
                  std::string(source) + ": no \"weight_map\"; this is not the index of shards");
    if (!twice.empty())
      return fail(Code::kBadInput,
                  std::string(source) + ": tensor \"" + twice + "\" stands twice in the index");
    return index;
  } catch (const SortedJson::exception& error) {
    return fail(Code::kBadInput, std::string(source) + ": not valid JSON (" +
                                     json_fault(error, text.size()) + "); fetch it again");
  }
}

// What a shard may be called: nothing that leads out of the folder or hides in a message.
bool is_plain_name(std::string_view name) {
  if (name.empty() || name.size() > limits::kTrainerNameBytesMax || name.front() == '.')
    return false;
  for (char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '.' && c != '-' && c != '_') return false;
  }
  return name.find("..") == std::string_view::npos;
}

}  // namespace

Result<ShardIndex> parse_shard_index(std::string_view text, std::string_view source) {
  if (text.size() > limits::kSafetensorsHeaderBytesMax)
    return fail(Code::kBadInput, std::string(source) + ": larger than any index of shards");
  TRY_ASSIGN(const SortedJson json, parse_index(text, source));
  ShardIndex index;
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : json["weight_map"].items()) {
    if (!shard.is_string() || !is_plain_name(shard.get_ref<const std::string&>()))
      return fail(Code::kBadInput,
                  std::string(source) + ": tensor \"" + tensor + "\" is said to be in " +
                      shard.dump(-1, ' ', true, SortedJson::error_handler_t::replace) +
                      ", which is not the plain name of a file");
    shards.insert(shard.get_ref<const std::string&>());
    if (shards.size() > limits::kModelShardsMax)
      return fail(Code::kBadInput, std::string(source) + ": more than " +
                                       std::to_string(limits::kModelShardsMax) +
                                       " shards; save the model in fewer");
    index.shard_of.emplace(tensor, shard.get_ref<const std::string&>());
  }
  if (shards.empty())
    return fail(Code::kBadInput, std::string(source) + ": an index without tensors");
  index.shards.assign(shards.begin(), shards.end());
  return index;
}

}  // namespace freshet
