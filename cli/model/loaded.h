#pragma once
// A model that a verb computes with, ready to do so.

#include <string>

#include "model/files/model_files.h"
#include "model/text/chat_template.h"
#include "model/tokenizer/tokenizer.h"
#include "trainer/transformer/transformer.h"

namespace freshet {

inline constexpr const char* kPrecisionHelp =
    "Of the weights: f32, bf16, int8 or nf4; auto: bf16 for files in bf16 or quantised, f32 for "
    "others";

struct VerbModel {
  Tokenizer tokenizer;
  Transformer model;
  Result<ChatTemplate> chat;  // or why there is none
};

// Sets the threads of this process, too. REQUIRES: `precision` is "auto" or the name of one.
Result<VerbModel> load_for_verb(const std::string& folder, const std::string& precision,
                                int threads);

}  // namespace freshet
