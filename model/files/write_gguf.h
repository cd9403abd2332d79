#pragma once
// A model, or a LoRA adapter, written as one GGUF file for llama.cpp.

#include <cstdint>

#include "model/files/peft_adapter.h"
#include "model/files/write_hugging_face.h"

namespace freshet {

// With the tokenizer and the chat template inside. Vectors and learned positions stay F32, as llama.cpp keeps them; a
// matrix whose rows are no multiple of 32 stays F16 in a Q8_0 file. kBadInput for what a GGUF has no place for.
// REQUIRES: type is F32, F16, BF16 or Q8_0.
Result<Written> write_gguf(const ModelFiles& files, const WritePlan& plan, const OnProgress& on_progress);

// llama.cpp knows one alpha for all modules and scales each by alpha / rank: where ours is scaled otherwise (patterns,
// rsLoRA), B carries the difference. REQUIRES: values.size() is the layout's.
Result<void> write_lora_gguf(const Path& path, const ModelConfig& config, const PeftAdapter& adapter);

// The row of ours that stands as row `row` in a GGUF whose rows are interleaved within each of `heads`.
std::int64_t row_behind_gguf_row(int heads, std::int64_t rows, std::int64_t row);

}  // namespace freshet
