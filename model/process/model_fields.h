#pragma once
// The fields of a model's configuration and of an adapter's spec inside a trainer message.

#include <string>

#include "model/adapter.h"
#include "model/model_config.h"
#include "model/process/trainer_fields.h"

namespace freshet {

void list(Fields& fields, ModelConfig& config);
void list(Fields& fields, AdapterSpec& spec, const std::string& prefix);  // before every key

}  // namespace freshet
