#include <algorithm>
#include <cmath>
#include <numbers>

#include "trainer/transformer/transformer.h"

namespace freshet {
namespace {

kernels::Form form_of(Precision precision) {
  switch (precision) {
    case Precision::kF32: return kernels::Form::kF32;
    case Precision::kBf16: return kernels::Form::kBf16;
    case Precision::kInt8: return kernels::Form::kInt8;
    default: return kernels::Form::kNf4;
  }
}

bool lies_in_form(const WeightView& view, kernels::Form form) {
  if (view.interleaved_heads > 0 || view.transposed ||
      reinterpret_cast<std::uintptr_t>(view.bytes.data()) % 4 != 0)
    return false;
  return (form == kernels::Form::kF32 && view.type == WeightType::kF32) ||
         (form == kernels::Form::kBf16 && view.type == WeightType::kBF16);
}

// Gives the pages of a tensor back that was read for the last time: they need not stay beside what
// it became.
void forget(ByteView bytes) {
  constexpr std::uintptr_t kPage = 4096;
  const auto begin = (reinterpret_cast<std::uintptr_t>(bytes.data()) + kPage - 1) / kPage * kPage;
  const auto end = (reinterpret_cast<std::uintptr_t>(bytes.data()) + bytes.size()) / kPage * kPage;
  if (end > begin) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

// What is being loaded, so that each step needs one argument less.
class Loader {
 public:
  Loader(Transformer& model, const Weights& weights) : model_(model), weights_(weights) {}

  Result<const WeightView*> view(const std::string& name,
                                 const std::vector<std::int64_t>& shape) const {
    const WeightView* found = weights_.find(name);
    if (found == nullptr)
      return fail(Code::kBadInput,
                  "the model's files hold no tensor \"" + name + "\"; is the download complete?");
    if (found->shape != shape)
      return fail(Code::kBadInput, "tensor \"" + name +
                                       "\" does not have the shape that the configuration gives "
                                       "it; the files are not of one model");
    return found;
  }

  Result<std::vector<float>> vector(const std::string& name, std::vector<std::int64_t> shape) {
    TRY_ASSIGN(const WeightView* found, view(name, shape));
    std::vector<float> values(static_cast<std::size_t>(found->elements()));
    read_rows(*found, 0, found->rows(), values.data());
    count(found->elements());
    return values;
  }

  Result<kernels::Matrix> matrix(const std::string& name, std::int64_t rows, std::int64_t columns,
                                 kernels::Form form) {
    TRY_ASSIGN(const WeightView* found, view(name, {rows, columns}));
    count(found->elements());
    if (lies_in_form(*found, form))
      return kernels::Matrix{form, rows, columns, found->bytes.data(), nullptr};
    Memory<std::uint8_t> values(static_cast<std::size_t>(kernels::bytes_of(form, rows, columns)));
    Memory<std::uint8_t> scales(static_cast<std::size_t>(kernels::scales_of(form, rows, columns)) *
                                4);
    const std::int64_t at_a_time =
        found->transposed
            ? rows
            : std::clamp<std::int64_t>((1 << 18) / std::max<std::int64_t>(columns, 1), 1, rows);
    const std::int64_t pieces = (rows + at_a_time - 1) / at_a_time;
#pragma omp parallel for schedule(dynamic)
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
      const std::int64_t first = piece * at_a_time, some = std::min(at_a_time, rows - first);
      std::vector<float> read(static_cast<std::size_t>(some * columns));
      read_rows(*found, first, some, read.data());
      for (std::int64_t r = 0; r < some; ++r)
        kernels::write_row(form, columns, read.data() + r * columns,
                           values.data() + (first + r) * kernels::bytes_of(form, 1, columns),
                           reinterpret_cast<float*>(scales.data()) +
                               (first + r) * kernels::scales_of(form, 1, columns));
    }
    forget(found->bytes);
    const kernels::Matrix made{form, rows, columns, values.data(),
                               reinterpret_cast<const float*>(scales.data())};
    model_.owned.push_back(std::move(values));
    model_.owned.push_back(std::move(scales));
    return made;
  }

  Result<Norm> norm(const std::string& name) {
    Norm norm;
    TRY_ASSIGN(norm.weight, vector(name + ".weight", {model_.config.hidden_size}));
    if (model_.config.architecture == Architecture::kGpt2) {
      TRY_ASSIGN(norm.bias, vector(name + ".bias", {model_.config.hidden_size}));
    }
    return norm;
  }

  Result<Layer> layer(int index) {
    const bool gpt2 = model_.config.architecture == Architecture::kGpt2;
    const std::string prefix = layer_prefix(model_.config, index);
    Layer layer;
    TRY_ASSIGN(layer.attention_norm, norm(prefix + (gpt2 ? "ln_1" : "input_layernorm")));
    TRY_ASSIGN(layer.mlp_norm, norm(prefix + (gpt2 ? "ln_2" : "post_attention_layernorm")));
    if (model_.config.qk_norm) {
      TRY_ASSIGN(layer.q_norm,
                 vector(prefix + "self_attn.q_norm.weight", {model_.config.head_dim}));
      TRY_ASSIGN(layer.k_norm,
                 vector(prefix + "self_attn.k_norm.weight", {model_.config.head_dim}));
    }
    for (const LinearModule& module : linear_modules(model_.config)) {
      const std::string name = prefix + std::string(module.path);
      Linear linear;
      linear.by_input = module.transposed;
      TRY_ASSIGN(linear.matrix,
                 matrix(name + ".weight", module.transposed ? module.in : module.out,
                        module.transposed ? module.out : module.in, form_of(model_.precision)));
      if (module.bias) {
        TRY_ASSIGN(linear.bias, vector(name + ".bias", {module.out}));
      }
      layer.linears.push_back(std::move(linear));
    }
    return layer;
  }

 private:
  void count(std::int64_t elements) { model_.parameters += static_cast<std::uint64_t>(elements); }
  Transformer& model_;
  const Weights& weights_;
};

// 1 / wavelength of each pair of entries, stretched as the configuration says (Llama 3:
// arXiv:2407.21783).
double stretched(double frequency, const RopeScaling& rope) {
  if (rope.kind == RopeScaling::Kind::kNone) return frequency;
  if (rope.kind == RopeScaling::Kind::kLinear) return frequency / rope.factor;
  const double wavelength = 2 * std::numbers::pi / frequency, positions = rope.original_positions;
  if (wavelength < positions / rope.high_frequency_factor) return frequency;
  if (wavelength > positions / rope.low_frequency_factor) return frequency / rope.factor;
  const double smooth = (positions / wavelength - rope.low_frequency_factor) /
                        (rope.high_frequency_factor - rope.low_frequency_factor);
  return (1 - smooth) * frequency / rope.factor + smooth * frequency;
}

}  // namespace

std::string_view name_of(Precision precision) {
  constexpr std::string_view kNames[] = {"f32", "bf16", "int8", "nf4"};
  return kNames[static_cast<std::size_t>(precision)];
}

Rotary make_rotary(const ModelConfig& config, int count) {
  Rotary rotary;
  if (config.architecture == Architecture::kGpt2) return rotary;
  const int half = config.head_dim / 2;
  rotary.cosine.resize(static_cast<std::size_t>(count) * static_cast<std::size_t>(half));
  rotary.sine.resize(rotary.cosine.size());
  for (int i = 0; i < half; ++i) {
    const double plain = 1.0 / std::pow(config.rope_theta, 2.0 * i / config.head_dim);
    const auto frequency = static_cast<float>(stretched(plain, config.rope));
    for (int t = 0; t < count; ++t) {
      // The reference computes the angle in f32.
      const float angle = static_cast<float>(t) * frequency;
      const std::size_t at = static_cast<std::size_t>(t) * static_cast<std::size_t>(half) +
                             static_cast<std::size_t>(i);
      rotary.cosine[at] = std::cos(angle);
      rotary.sine[at] = std::sin(angle);
    }
  }
  return rotary;
}

Precision own_precision(const Weights& weights) {
  for (const WeightView& view : weights.all())
    if (view.shape.size() > 1 && (view.type == WeightType::kF32 || view.type == WeightType::kF16))
      return Precision::kF32;
  return Precision::kBf16;
}

Result<Transformer> load_transformer(const ModelConfig& config,
                                     std::shared_ptr<const Weights> weights, Precision precision) {
  Transformer model;
  model.config = config;
  model.precision = precision;
  model.mapped = weights;
  Loader loader(model, *weights);
  const bool gpt2 = config.architecture == Architecture::kGpt2;
  const kernels::Form wide =
      precision == Precision::kF32 ? kernels::Form::kF32 : kernels::Form::kBf16;
  TRY_ASSIGN(model.embedding,
             loader.matrix(gpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight",
                           config.vocab_size, config.hidden_size, wide));
  if (gpt2) {
    TRY_ASSIGN(model.positions,
               loader.vector("transformer.wpe.weight", {config.max_positions, config.hidden_size}));
  }
  for (int l = 0; l < config.layers; ++l) {
    TRY_ASSIGN(Layer layer, loader.layer(l));
    model.layers.push_back(std::move(layer));
  }
  TRY_ASSIGN(model.norm, loader.norm(gpt2 ? "transformer.ln_f" : "model.norm"));
  model.head = model.embedding;
  if (!config.tied_embeddings) {
    TRY_ASSIGN(model.head,
               loader.matrix("lm_head.weight", config.vocab_size, config.hidden_size, wide));
  }
  return model;
}

}  // namespace freshet
