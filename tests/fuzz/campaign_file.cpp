// Any text parses to a valid campaign or to an error; a campaign is the same after being written
// and read again.

#include "protocol/campaign_file.h"

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  const auto file = parse_campaign_file(as_text({data, size}), "fuzz.toml");
  if (!file) {
    CHECK(!file.error().what.empty());
    return 0;
  }
  CHECK(validate(file->plan).has_value());
  const std::string toml = to_toml(*file);
  const auto again = parse_campaign_file(toml, "again.toml");
  CHECK(again.has_value(), "{}\n{}", again.error().what, toml);
  CHECK(*again == *file, "{}", toml);
  return 0;
}
