#pragma once
// The sections [training] and [data] of the policy file; for the policy file alone.

#include "protocol/device_rules.h"
#include "protocol/toml_section.h"

namespace freshet {

Result<void> read_training(const toml_file::Document& document, DeviceRules& rules);
Result<void> read_data(const toml_file::Document& document, DataRules& rules);
// With a comment over every key.
std::string training_toml(const DeviceRules& rules);
std::string data_toml(const DataRules& rules);

}  // namespace freshet
