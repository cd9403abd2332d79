// A ModelConfig from the metadata of a GGUF, and back.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "model/files/gguf_model.h"

namespace freshet {
namespace {

// Metadata of the architecture: "llama.block_count".
class Section {
 public:
  static Result<Section> of(const GgufFile& file) {
    TRY_ASSIGN(const std::string_view name, file.text("general.architecture"));
    for (Architecture each :
         {Architecture::kLlama, Architecture::kQwen2, Architecture::kQwen3, Architecture::kGpt2})
      if (name == name_of(each)) return Section(file, each);
    return file.refuse("general.architecture \"" + std::string(name.substr(0, 64)) +
                       "\" is not supported; Freshet runs llama qwen2 qwen3 gpt2");
  }

  Architecture architecture() const { return architecture_; }
  const GgufFile& file() const { return file_; }
  std::string key(std::string_view name) const {
    return std::string(name_of(architecture_)) + "." + std::string(name);
  }
  bool has(std::string_view name) const { return file_.has(key(name)); }

  Result<int> integer(std::string_view name) const {
    TRY_ASSIGN(const std::int64_t value, file_.integer(key(name)));
    if (value < 0 || value > std::numeric_limits<int>::max())
      return file_.refuse("metadata \"" + key(name) + "\" is out of range");
    return static_cast<int>(value);
  }
  Result<int> integer_or(std::string_view name, int absent) const {
    if (!has(name)) return absent;
    return integer(name);
  }
  Result<double> number_or(std::string_view name, double absent) const {
    if (!has(name)) return absent;
    return file_.number(key(name));
  }

 private:
  Section(const GgufFile& file, Architecture architecture)
      : file_(file), architecture_(architecture) {}
  const GgufFile& file_;
  Architecture architecture_;
};

// Every key of an architecture that is read here or says nothing about what is computed.
constexpr std::string_view kKnown[] = {
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "vocab_size",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "attention.layer_norm_epsilon",
    "attention.sliding_window",
    "rope.freq_base",
    "rope.dimension_count",
    "rope.scale_linear",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "tensor_data_layout",      // where the model came from
    "use_parallel_residual"};  // of GPT-NeoX; here without effect
// Allowed where they are off: 0 or false.
constexpr std::string_view kOff[] = {"expert_count", "expert_used_count"};

Result<void> check_keys(const Section& section) {
  const std::string start = section.key("");
  for (const auto& [key, value] : section.file().metadata) {
    if (!key.starts_with(start)) continue;
    const std::string_view name = key.substr(start.size());
    if (std::find(std::begin(kKnown), std::end(kKnown), name) != std::end(kKnown)) continue;
    const bool off = std::find(std::begin(kOff), std::end(kOff), name) != std::end(kOff) &&
                     std::all_of(value.bytes.begin(), value.bytes.end(),
                                 [](std::uint8_t byte) { return byte == 0; });
    if (!off)
      return section.file().refuse("metadata \"" + std::string(key.substr(0, 100)) +
                                   "\" asks for something that Freshet does not implement");
  }
  return {};
}

std::vector<float> divisors(double theta, int head_dim, const RopeScaling& rope) {
  std::vector<float> result;
  for (int i = 0; i < head_dim / 2; ++i) {
    const double wavelength = 2 * std::numbers::pi * std::pow(theta, 2.0 * i / head_dim);
    const double turns = rope.original_positions / wavelength;
    const double low = rope.low_frequency_factor, high = rope.high_frequency_factor;
    const double part = std::clamp((turns - low) / (high - low), 0.0, 1.0);
    result.push_back(static_cast<float>(1 / ((1 - part) / rope.factor + part)));
  }
  return result;
}

// The file holds what Llama 3's scaling comes to, not its parameters: they are found again and
// compared. Its makers have used low 1 and high 4 throughout.
Result<RopeScaling> llama3_of(const GgufFile& file, const GgufTensor& tensor, double theta) {
  const std::size_t entries = tensor.bytes.size() / sizeof(float);
  if (tensor.type != WeightType::kF32 || entries == 0 || entries > 4096)
    return file.refuse("tensor \"rope_freqs.weight\" is no short list of F32");
  std::vector<float> wanted(entries);
  dequantize(tensor.type, tensor.bytes, wanted.data());
  const float largest = *std::max_element(wanted.begin(), wanted.end());
  if (largest == 1 && *std::min_element(wanted.begin(), wanted.end()) == 1) return RopeScaling{};
  RopeScaling rope{RopeScaling::Kind::kLlama3, largest, 1, 4, 0};
  for (int i = 0; i < 18; ++i) {
    rope.original_positions = i == 0 ? 8192 : 1 << (i + 3);  // theirs first, then from 16 on
    const std::vector<float> got = divisors(theta, static_cast<int>(2 * entries), rope);
    if (std::equal(got.begin(), got.end(), wanted.begin(),
                   [](float a, float b) { return std::fabs(a - b) <= 1e-4f * std::fabs(b); }))
      return rope;
  }
  return file.refuse("tensor \"rope_freqs.weight\" is not Llama 3's scaling of the rotary angles");
}

Result<RopeScaling> rope_of(const Section& section, double theta) {
  const GgufFile& file = section.file();
  RopeScaling rope;
  TRY_ASSIGN(const double old, section.number_or("rope.scale_linear", 1));
  TRY_ASSIGN(rope.factor, section.number_or("rope.scaling.factor", old));
  std::string_view type = rope.factor == 1 ? "none" : "linear";
  if (section.has("rope.scaling.type")) {
    TRY_ASSIGN(type, file.text(section.key("rope.scaling.type")));
  }
  if (type != "none" && type != "linear")
    return file.refuse("rope.scaling.type \"" + std::string(type.substr(0, 64)) +
                       "\" is not supported; Freshet runs none and linear, and Llama 3's");
  if (type == "linear" && !(rope.factor >= 1 && rope.factor <= 1e6))
    return file.refuse("metadata \"" + section.key("rope.scaling.factor") + "\" is out of range");
  if (type == "linear" && rope.factor != 1)
    rope.kind = RopeScaling::Kind::kLinear;
  else
    rope.factor = 1;
  const GgufTensor* tensor = file.find_tensor("rope_freqs.weight");
  if (tensor == nullptr) return rope;
  TRY_ASSIGN(const RopeScaling llama3, llama3_of(file, *tensor, theta));
  if (llama3.kind == RopeScaling::Kind::kNone) return rope;
  if (rope.kind != RopeScaling::Kind::kNone)
    return file.refuse("the rotary angles are scaled twice (rope.scaling and rope_freqs.weight)");
  return llama3;
}

Result<void> read_heads(const Section& section, ModelConfig& config) {
  TRY_ASSIGN(config.heads, section.integer("attention.head_count"));
  TRY_ASSIGN(config.kv_heads, section.integer_or("attention.head_count_kv", config.heads));
  if (config.heads == 0) return section.file().refuse("a model without attention heads");
  TRY_ASSIGN(config.head_dim,
             section.integer_or("attention.key_length", config.hidden_size / config.heads));
  TRY_ASSIGN(const int values, section.integer_or("attention.value_length", config.head_dim));
  TRY_ASSIGN(const int rotated, section.integer_or("rope.dimension_count", config.head_dim));
  if (values != config.head_dim)
    return section.file().refuse("attention.value_length is not attention.key_length");
  if (rotated != config.head_dim && config.architecture != Architecture::kGpt2)
    return section.file().refuse("rope.dimension_count: a part of each head is rotated");
  return {};
}

Result<void> read_rotary(const Section& section, ModelConfig& config) {
  TRY_ASSIGN(config.rope_theta, section.number_or("rope.freq_base", 10000));
  TRY_ASSIGN(config.rope, rope_of(section, config.rope_theta));
  TRY_ASSIGN(const int window, section.integer_or("attention.sliding_window", 0));
  if (window == 0) return {};
  config.windows.assign(static_cast<std::size_t>(config.layers), window);
  // A llama with a window is what Hugging Face calls a Mistral.
  if (config.architecture == Architecture::kLlama) config.architecture = Architecture::kMistral;
  return {};
}

// What the tensors say: sizes and which modules have a bias.
Result<void> read_tensors(const GgufFile& file, ModelConfig& config) {
  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2 ||
      embedding->shape[0] > std::numeric_limits<int>::max())
    return file.refuse("no matrix \"token_embd.weight\"; is this a whole model?");
  config.vocab_size = static_cast<int>(embedding->shape[0]);
  const GgufTensor* head = file.find_tensor("output.weight");
  config.tied_embeddings =
      head == nullptr || (head->type == embedding->type && head->shape == embedding->shape &&
                          std::equal(head->bytes.begin(), head->bytes.end(),
                                     embedding->bytes.begin(), embedding->bytes.end()));
  const auto stands = [&](const char* name) { return file.find_tensor(name) != nullptr; };
  config.qkv_bias = stands("blk.0.attn_q.bias") || stands("blk.0.attn_qkv.bias");
  config.output_bias = stands("blk.0.attn_output.bias");
  config.mlp_bias = stands("blk.0.ffn_down.bias");
  return {};
}

Result<void> read_ids(const GgufFile& file, ModelConfig& config) {
  const auto id_of = [&](const char* key) -> Result<int> {
    if (!file.has(key)) return -1;
    TRY_ASSIGN(const std::int64_t id, file.integer(key));
    return id >= 0 && id < config.vocab_size ? static_cast<int>(id) : -1;
  };
  TRY_ASSIGN(config.bos_id, id_of("tokenizer.ggml.bos_token_id"));
  config.eos_ids.clear();
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    TRY_ASSIGN(const int id, id_of(key));
    if (id >= 0 &&
        std::find(config.eos_ids.begin(), config.eos_ids.end(), id) == config.eos_ids.end())
      config.eos_ids.push_back(id);
  }
  return {};
}

}  // namespace

Result<ModelConfig> gguf_config(const GgufFile& file) {
  TRY_ASSIGN(const Section section, Section::of(file));
  TRY(check_keys(section));
  if (file.has("split.count")) {
    TRY_ASSIGN(const std::int64_t parts, file.integer("split.count"));
    if (parts > 1)
      return file.refuse("one of " + std::to_string(parts) +
                         " parts of a model; join them with llama-gguf-split --merge");
  }
  ModelConfig config;
  config.architecture = section.architecture();
  TRY_ASSIGN(config.layers, section.integer("block_count"));
  TRY_ASSIGN(config.hidden_size, section.integer("embedding_length"));
  TRY_ASSIGN(config.intermediate_size, section.integer("feed_forward_length"));
  TRY_ASSIGN(config.max_positions, section.integer("context_length"));
  const bool gpt2 = config.architecture == Architecture::kGpt2;
  TRY_ASSIGN(const double eps, file.number(section.key(gpt2 ? "attention.layer_norm_epsilon"
                                                            : "attention.layer_norm_rms_epsilon")));
  config.norm_eps = static_cast<float>(eps);
  config.qk_norm = config.architecture == Architecture::kQwen3;
  TRY(read_tensors(file, config));
  TRY(read_heads(section, config));
  TRY(read_ids(file, config));
  if (config.layers > 1'000'000) return file.refuse("more layers than any model has");
  if (!gpt2) TRY(read_rotary(section, config));
  TRY(check_model_config(config, file.source));
  return config;
}

std::vector<float> gguf_rope_divisors(const ModelConfig& config) {
  if (config.rope.kind != RopeScaling::Kind::kLlama3) return {};
  return divisors(config.rope_theta, config.head_dim, config.rope);
}

Result<void> put_gguf_config(const ModelConfig& config, std::string_view name, GgufWriter& writer) {
  const int window = config.window_of(0);
  for (int layer = 0; layer < config.layers; ++layer)
    if (config.window_of(layer) != window)
      return fail(Code::kBadInput,
                  "a model with different windows of attention by layer cannot be written as GGUF");
  const bool gpt2 = config.architecture == Architecture::kGpt2;
  // llama.cpp knows Mistral as a llama.
  const auto architecture = name_of(
      config.architecture == Architecture::kMistral ? Architecture::kLlama : config.architecture);
  const auto key = [&](std::string_view end) {
    return std::string(architecture) + "." + std::string(end);
  };
  const auto put = [&](std::string_view end, int value) {
    writer.put_u32(key(end), static_cast<std::uint32_t>(value));
  };
  writer.put_text("general.architecture", architecture);
  writer.put_text("general.type", "model");
  writer.put_text("general.name", name);
  put("block_count", config.layers);
  put("context_length", config.max_positions);
  put("embedding_length", config.hidden_size);
  put("feed_forward_length", config.intermediate_size);
  put("attention.head_count", config.heads);
  put("vocab_size", config.vocab_size);
  if (gpt2) {
    writer.put_f32(key("attention.layer_norm_epsilon"), config.norm_eps);
    return {};
  }
  writer.put_f32(key("attention.layer_norm_rms_epsilon"), config.norm_eps);
  put("attention.head_count_kv", config.kv_heads);
  put("attention.key_length", config.head_dim);
  put("attention.value_length", config.head_dim);
  put("rope.dimension_count", config.head_dim);
  if (window > 0) put("attention.sliding_window", window);
  writer.put_f32(key("rope.freq_base"), static_cast<float>(config.rope_theta));
  if (config.rope.kind == RopeScaling::Kind::kLinear) {
    writer.put_text(key("rope.scaling.type"), "linear");
    writer.put_f32(key("rope.scaling.factor"), static_cast<float>(config.rope.factor));
  }
  return {};
}

}  // namespace freshet
