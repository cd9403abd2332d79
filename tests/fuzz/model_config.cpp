// Any text parses to a config that reads back the same, or to an error.

#include "model/model_config.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  const auto config = parse_model_config(as_text({data, size}), "fuzz.json");
  if (!config) {
    CHECK(!config.error().what.empty());
    return 0;
  }
  CHECK(config->heads % config->kv_heads == 0);
  CHECK(config->architecture == Architecture::kGpt2 || config->head_dim % 2 == 0);
  const std::string json = to_text(to_json(*config));
  const auto again = parse_model_config(json, "again.json");
  CHECK(again.has_value(), "{}", json);
  CHECK(to_text(to_json(*again)) == json, "{}", json);
  return 0;
}
