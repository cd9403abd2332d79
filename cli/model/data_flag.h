#pragma once
// What `--data` and `--precision` name.

#include <optional>
#include <string>
#include <vector>

#include "model/text/text_folder.h"
#include "trainer/transformer/transformer.h"

namespace freshet {

// The documents of one file, or of all text files below a folder. kBadInput where there is no text.
Result<std::vector<Document>> read_data(const std::string& place, const Result<ChatTemplate>& chat);

// "f32", "bf16", "int8" or "nf4"; nothing for another word.
std::optional<Precision> precision_named(std::string_view name);

}  // namespace freshet
