#include "trainer/torch/device_model.h"

#include <torch/version.h>

#include <algorithm>
#include <cmath>

#include "model/modules.h"

namespace freshet {
namespace {

class Loader {
 public:
  Loader(DeviceModel& model, const Weights& weights) : model_(model), weights_(weights) {}

  Result<at::Tensor> tensor(const std::string& name, const std::vector<std::int64_t>& shape,
                            bool bf16) {
    const WeightView* found = weights_.find(name);
    if (found == nullptr)
      return fail(Code::kBadInput,
                  "the model's files hold no tensor \"" + name + "\"; is the download complete?");
    if (found->shape != shape)
      return fail(Code::kBadInput, "tensor \"" + name +
                                       "\" does not have the shape that the configuration gives "
                                       "it; the files are not of one model");
    at::Tensor made = at::empty(
        shape, at::TensorOptions(bf16 ? at::kBFloat16 : at::kFloat).device(model_.device));
    const std::int64_t rows = found->rows(), columns = found->row_elements();
    at::Tensor flat = made.view({rows, columns});
    const std::int64_t at_a_time =
        found->transposed
            ? rows
            : std::clamp<std::int64_t>((1 << 22) / std::max<std::int64_t>(columns, 1), 1, rows);
    std::vector<float> read(static_cast<std::size_t>(at_a_time * columns));
    for (std::int64_t first = 0; first < rows; first += at_a_time) {
      const std::int64_t some = std::min(at_a_time, rows - first);
      read_rows(*found, first, some, read.data());
      flat.narrow(0, first, some).copy_(at::from_blob(read.data(), {some, columns}));
    }
    return made;
  }

  Result<DeviceNorm> norm(const std::string& name) {
    DeviceNorm norm;
    TRY_ASSIGN(norm.weight, tensor(name + ".weight", {model_.config.hidden_size}, false));
    if (model_.config.architecture == Architecture::kGpt2) {
      TRY_ASSIGN(norm.bias, tensor(name + ".bias", {model_.config.hidden_size}, false));
    }
    return norm;
  }

  Result<DeviceLayer> layer(int index) {
    const bool gpt2 = model_.config.architecture == Architecture::kGpt2;
    const std::string prefix = layer_prefix(model_.config, index);
    DeviceLayer layer;
    TRY_ASSIGN(layer.attention_norm, norm(prefix + (gpt2 ? "ln_1" : "input_layernorm")));
    TRY_ASSIGN(layer.mlp_norm, norm(prefix + (gpt2 ? "ln_2" : "post_attention_layernorm")));
    if (model_.config.qk_norm) {
      TRY_ASSIGN(layer.q_norm,
                 tensor(prefix + "self_attn.q_norm.weight", {model_.config.head_dim}, false));
      TRY_ASSIGN(layer.k_norm,
                 tensor(prefix + "self_attn.k_norm.weight", {model_.config.head_dim}, false));
    }
    for (const LinearModule& module : linear_modules(model_.config)) {
      const std::string name = prefix + std::string(module.path);
      const std::int64_t in = module.in, out = module.out;
      DeviceLinear linear;
      linear.by_input = module.transposed;
      TRY_ASSIGN(
          linear.weight,
          tensor(name + ".weight", module.transposed ? std::vector{in, out} : std::vector{out, in},
                 model_.bf16));
      if (module.bias) {
        TRY_ASSIGN(linear.bias, tensor(name + ".bias", {out}, false));
      }
      layer.linears.push_back(std::move(linear));
    }
    return layer;
  }

 private:
  DeviceModel& model_;
  const Weights& weights_;
};

at::Tensor product(const DeviceModel& model, const at::Tensor& x,
                   const at::Tensor& w) {  // [N,I] [I,O] -> [N,O]
  return model.bf16 ? at::mm(x.to(at::kBFloat16), w).to(at::kFloat) : at::mm(x, w);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& w, double eps) {
  return x * at::rsqrt(x.pow(2).mean(-1, true) + eps) * w;
}

at::Tensor apply(const DeviceModel& model, const DeviceNorm& norm, const at::Tensor& x) {  // [N,C]
  if (!norm.bias.defined()) return rms_norm(x, norm.weight, model.config.norm_eps);
  return at::layer_norm(x, {x.size(1)}, norm.weight, norm.bias, model.config.norm_eps);
}

// x [B,T,H,D], the rotate-half form.
at::Tensor rotated(const at::Tensor& x, const DeviceBatch& batch) {
  if (!batch.cosine.defined()) return x;
  const std::int64_t half = x.size(3) / 2;
  const at::Tensor low = x.narrow(3, 0, half), high = x.narrow(3, half, half);
  return at::cat({low * batch.cosine - high * batch.sine, high * batch.cosine + low * batch.sine},
                 3);
}

// q, k, v [B,H,T,D] -> [B,H,T,D]
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                  const at::Tensor& mask) {
#if TORCH_VERSION_MAJOR >= 2
  return at::scaled_dot_product_attention(
      q, k, v, mask.defined() ? c10::optional<at::Tensor>(mask) : c10::nullopt, 0.0,
      !mask.defined());
#else
  const std::int64_t time = q.size(2);
  const at::Tensor seen =
      mask.defined() ? mask : at::ones({time, time}, q.options().dtype(at::kBool)).tril();
  const at::Tensor scores = at::matmul(q, k.transpose(2, 3)).to(at::kFloat) /
                            std::sqrt(static_cast<double>(q.size(3)));  // [B,H,T,T]
  return at::matmul(
      at::softmax(scores.masked_fill(seen.logical_not(), -INFINITY), -1).to(v.scalar_type()), v);
#endif
}

// One layer over a batch, so that each step needs a few arguments less.
class Block {
 public:
  Block(const DeviceModel& model, const DeviceBatch& batch, const DeviceAdapter& adapter,
        std::size_t layer)
      : model_(model),
        config_(model.config),
        batch_(batch),
        layer_(model.layers[layer]),
        index_(layer),
        factors_(adapter.empty() ? nullptr : &adapter[layer]) {}

  at::Tensor operator()(at::Tensor x) const {  // [N,C] -> [N,C]
    const bool gpt2 = config_.architecture == Architecture::kGpt2;
    const std::size_t output = gpt2 ? 1 : 3;
    x = x + project(output, mixed(apply(model_, layer_.attention_norm, x)));  // [N,C]
    const at::Tensor h = apply(model_, layer_.mlp_norm, x);                   // [N,C]
    const at::Tensor gate = project(output + 1, h);                           // [N,F]
    const at::Tensor act = gpt2 ? at::gelu(gate, "tanh") : at::silu(gate) * project(output + 2, h);
    return x + project(layer_.linears.size() - 1, act);
  }

 private:
  at::Tensor project(std::size_t index, const at::Tensor& x) const {  // [N,I] -> [N,O]
    const DeviceLinear& linear = layer_.linears[index];
    at::Tensor y = product(model_, x, linear.by_input ? linear.weight : linear.weight.t());
    if (linear.bias.defined()) y = y + linear.bias;
    if (factors_ == nullptr || !(*factors_)[index].a.defined()) return y;
    const DeviceFactors& lora = (*factors_)[index];
    return y + at::mm(at::mm(x, lora.a.t()), lora.b.t()) * lora.scale;
  }

  at::Tensor heads_of(const at::Tensor& x, int heads) const {
    return x.reshape({batch_.sequences, batch_.time, heads, config_.head_dim});
  }

  // [B,T,G,D] -> [B,H,T,D], each key/value head as often as queries share it
  at::Tensor shared(const at::Tensor& x) const {
    const at::Tensor by_head = x.transpose(1, 2);
    return config_.heads == config_.kv_heads
               ? by_head
               : by_head.repeat_interleave(config_.heads / config_.kv_heads, 1);
  }

  at::Tensor mixed(const at::Tensor& h) const {  // [N,C] -> [N,H*D]
    at::Tensor q, k, v;
    if (config_.architecture == Architecture::kGpt2) {
      const std::vector<at::Tensor> parts = project(0, h).chunk(3, 1);
      q = heads_of(parts[0], config_.heads);
      k = heads_of(parts[1], config_.heads);
      v = heads_of(parts[2], config_.heads);
    } else {
      q = heads_of(project(0, h), config_.heads);
      k = heads_of(project(1, h), config_.kv_heads);
      v = heads_of(project(2, h), config_.kv_heads);
    }
    if (config_.qk_norm) {
      q = rms_norm(q, layer_.q_norm, config_.norm_eps);
      k = rms_norm(k, layer_.k_norm, config_.norm_eps);
    }
    q = rotated(q, batch_);
    k = rotated(k, batch_);
    const at::ScalarType type = model_.bf16 ? at::kBFloat16 : at::kFloat;
    const at::Tensor out =
        attend(q.transpose(1, 2).to(type), shared(k).to(type), shared(v).to(type),
               batch_.mask(config_.window_of(static_cast<int>(index_))));  // [B,H,T,D]
    return out.transpose(1, 2).reshape({batch_.sequences * batch_.time, -1}).to(at::kFloat);
  }

  const DeviceModel& model_;
  const ModelConfig& config_;
  const DeviceBatch& batch_;
  const DeviceLayer& layer_;
  std::size_t index_;
  const std::vector<DeviceFactors>* factors_;
};

template <class Number>
at::Tensor whole_numbers(const std::vector<Number>& values) {
  at::Tensor made = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), made.data_ptr<std::int64_t>());
  return made;
}

}  // namespace

DeviceBatch::DeviceBatch(const DeviceModel& model, const TokenBatch& batch)
    : sequences(batch.sequences),
      time(batch.time),
      ids(whole_numbers(batch.ids).to(model.device)),
      device_(model.device) {
  const std::int64_t rows = batch.positions.empty() ? 1 : sequences;  // that differ
  const at::Tensor places = batch.positions.empty() ? at::arange(time, at::kLong)
                                                    : whole_numbers(batch.positions);  // [rows*T]
  positions = (batch.positions.empty() ? places.repeat({sequences}) : places).to(model.device);
  const std::int64_t count = places.max().item<std::int64_t>() + 1;
  const Rotary rotary = make_rotary(model.config, static_cast<int>(count));
  if (!rotary.cosine.empty()) {
    const std::int64_t half = model.config.head_dim / 2;
    const auto table = [&](std::vector<float> values) {
      return at::from_blob(values.data(), {count, half})
          .index_select(0, places)
          .view({rows, time, 1, half})
          .to(model.device);
    };
    cosine = table(rotary.cosine);
    sine = table(rotary.sine);
  }
  if (!batch.first_seen.empty())
    first_seen = whole_numbers(batch.first_seen).view({sequences, 1, time, 1}).to(model.device);
}

const at::Tensor& DeviceBatch::mask(int window) const {
  const bool whole = window == 0 || window >= time;
  at::Tensor& made = masks_[whole ? 0 : window];
  if (made.defined() || (whole && !first_seen.defined())) return made;
  const at::Tensor place = at::arange(time, at::TensorOptions(at::kLong).device(device_));
  const at::Tensor query = place.view({1, 1, time, 1}), key = place.view({1, 1, 1, time});
  made = key <= query;
  if (first_seen.defined()) made = made.logical_and(key >= first_seen);
  if (!whole) made = made.logical_and(key > query - window);
  return made;
}

Result<DeviceModel> load_device_model(const ModelConfig& config, const Weights& weights,
                                      at::Device device, bool bf16) {
  DeviceModel model;
  model.config = config;
  model.device = device;
  model.bf16 = bf16;
  Loader loader(model, weights);
  const bool gpt2 = config.architecture == Architecture::kGpt2;
  const std::vector<std::int64_t> wide = {config.vocab_size, config.hidden_size};
  TRY_ASSIGN(
      model.embedding,
      loader.tensor(gpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight", wide, bf16));
  if (gpt2) {
    TRY_ASSIGN(model.positions, loader.tensor("transformer.wpe.weight",
                                              {config.max_positions, config.hidden_size}, false));
  }
  for (int l = 0; l < config.layers; ++l) {
    TRY_ASSIGN(DeviceLayer layer, loader.layer(l));
    model.layers.push_back(std::move(layer));
  }
  TRY_ASSIGN(model.norm, loader.norm(gpt2 ? "transformer.ln_f" : "model.norm"));
  model.head = model.embedding;
  if (!config.tied_embeddings) {
    TRY_ASSIGN(model.head, loader.tensor("lm_head.weight", wide, bf16));
  }
  return model;
}

at::Tensor device_hidden(const DeviceModel& model, const DeviceBatch& batch,
                         const DeviceAdapter& adapter) {
  at::Tensor x = at::embedding(model.embedding, batch.ids).to(at::kFloat);  // [N,C]
  if (model.positions.defined()) x = x + at::embedding(model.positions, batch.positions);
  for (std::size_t l = 0; l < model.layers.size(); ++l) x = Block(model, batch, adapter, l)(x);
  return x;
}

at::Tensor device_logits(const DeviceModel& model, const at::Tensor& x) {
  return product(model, apply(model, model.norm, x), model.head.t());
}

}  // namespace freshet
