#pragma once
// The parts of a tokenizer.json, one reader each. They throw SortedJson::exception for a value of
// the wrong type; parse_tokenizer_file() catches it. Only for sources of this folder.

#include <string_view>

#include "base/json.h"
#include "model/tokenizer/tokenizer_file.h"

namespace freshet::tokenizer_json {

using SortedJson =
    nlohmann::json;  // a vocabulary has tens of thousands of keys: lookup must not be linear

tl::unexpected<Error> unsupported(std::string_view source, std::string_view part,
                                  const SortedJson& value);

// The type of a part, "" for null or absent.
std::string type_of(const SortedJson& part);
// json[key], null where absent.
const SortedJson& part_of(const SortedJson& json, const char* key);
Result<TokenId> id_of(const SortedJson& value, std::string_view source);

// The vocabulary's part of check_tokenizer_file().
Result<void> check_vocabulary(const TokenizerFile& file, std::string_view source);

Result<void> read_normalizer(const SortedJson& part, std::string_view source, TokenizerFile& file);
Result<void> read_pre_tokenizer(const SortedJson& part, std::string_view source,
                                TokenizerFile& file);
Result<void> read_post_processor(const SortedJson& part, std::string_view source,
                                 TokenizerFile& file);
Result<void> read_decoder(const SortedJson& part, std::string_view source, TokenizerFile& file);

// The names of behaviours and schemes, for reader and writer.
struct BehaviorName {
  SplitBehavior behavior;
  const char* name;
};
inline constexpr BehaviorName kBehaviors[] = {
    {SplitBehavior::kRemoved, "Removed"},
    {SplitBehavior::kIsolated, "Isolated"},
    {SplitBehavior::kMergedWithPrevious, "MergedWithPrevious"},
    {SplitBehavior::kMergedWithNext, "MergedWithNext"},
    {SplitBehavior::kContiguous, "Contiguous"}};
struct PrependName {
  PrependScheme scheme;
  const char* name;
};
inline constexpr PrependName kPrepends[] = {{PrependScheme::kFirst, "first"},
                                            {PrependScheme::kAlways, "always"},
                                            {PrependScheme::kNever, "never"}};

}  // namespace freshet::tokenizer_json
