#pragma once
// How llama.cpp and Hugging Face call the same tensors.

#include <optional>
#include <string>
#include <string_view>

#include "model/model_config.h"

namespace freshet {

// The Hugging Face name of a tensor of a GGUF and back; none where the other side has no such
// tensor.
std::optional<std::string> weight_of_gguf(Architecture architecture, std::string_view name);
std::optional<std::string> gguf_of_weight(Architecture architecture, std::string_view name);

}  // namespace freshet
