#include <algorithm>

#include "base/check.h"
#include "model/files/gguf_model.h"
#include "model/files/write_gguf.h"

namespace freshet {
namespace {

// B as llama.cpp wants it: its rows in the order of the file, scaled by what alpha / rank leaves
// open.
std::vector<float> b_for_gguf(const LayoutEntry& entry, const GgufPlace& place, float alpha,
                              std::span<const float> values) {
  const auto rank = static_cast<std::size_t>(entry.columns);
  const float known = alpha == 0 ? 1.0f : alpha / static_cast<float>(rank);
  const float factor = entry.scale == known ? 1.0f : entry.scale / known;
  std::vector<float> out(values.size());
  for (std::int64_t row = 0; row < entry.rows; ++row) {
    const std::int64_t from = row_behind_gguf_row(place.interleaved_heads, entry.rows, row);
    for (std::size_t r = 0; r < rank; ++r)
      out[static_cast<std::size_t>(row) * rank + r] =
          values[static_cast<std::size_t>(from) * rank + r] * factor;
  }
  return out;
}

}  // namespace

Result<void> write_lora_gguf(const Path& path, const ModelConfig& config,
                             const PeftAdapter& adapter) {
  TRY_ASSIGN(const Layout layout, adapter_layout(config, adapter.spec));
  CHECK(adapter.values.size() == layout.size, "{} {}", adapter.values.size(), layout.size);
  GgufWriter writer;
  const bool mistral = config.architecture == Architecture::kMistral;
  writer.put_text("general.architecture",
                  name_of(mistral ? Architecture::kLlama : config.architecture));
  writer.put_text("general.type", "adapter");
  writer.put_text("general.name", path.stem().string());
  writer.put_text("adapter.type", "lora");
  writer.put_f32("adapter.lora.alpha", adapter.spec.alpha);
  std::vector<GgufPlace> places;
  for (const LayoutEntry& entry : layout.entries) {
    std::optional<GgufPlace> place = gguf_place(config, entry.module + ".weight");
    CHECK(place.has_value(), "{}", entry.module);
    const std::int64_t shape[] = {entry.rows, entry.columns};
    writer.announce(place->name + (entry.factor == Factor::kA ? ".lora_a" : ".lora_b"),
                    WeightType::kF32, shape);
    places.push_back(std::move(*place));
  }
  TRY(writer.start(path));
  for (std::size_t i = 0; i < places.size(); ++i) {
    const LayoutEntry& entry = layout.entries[i];
    const auto values = std::span(adapter.values).subspan(entry.offset, entry.size());
    if (entry.factor == Factor::kA) {
      TRY(writer.write_tensor(as_bytes(values)));
      continue;
    }
    const std::vector<float> b = b_for_gguf(entry, places[i], adapter.spec.alpha, values);
    TRY(writer.write_tensor(as_bytes(std::span(b))));
  }
  return writer.finish();
}

}  // namespace freshet
