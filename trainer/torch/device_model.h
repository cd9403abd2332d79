#pragma once
// A model's frozen weights as tensors on one device, and its forward pass in plain tensor
// operations, so that autograd gives the gradients of what is trained. Every architecture of
// load_transformer().

#include <ATen/ATen.h>

#include <map>
#include <vector>

#include "model/adapter.h"
#include "model/files/weights.h"
#include "trainer/transformer/pass.h"

namespace freshet {

struct DeviceNorm {
  at::Tensor weight, bias;  // [C], f32; bias undefined: RMS norm
};

struct DeviceLinear {
  at::Tensor weight;  // [out,in]; [in,out] where by_input
  bool by_input = false;
  at::Tensor bias;  // [out], f32, or undefined
};

struct DeviceLayer {
  DeviceNorm attention_norm, mlp_norm;
  at::Tensor q_norm, k_norm;          // [D], f32, or undefined
  std::vector<DeviceLinear> linears;  // as linear_modules() orders them
};

struct DeviceModel {
  ModelConfig config;
  at::Device device{at::kCPU};
  bool bf16 = false;           // matrices, and how products with them are made
  at::Tensor embedding, head;  // [V,C]
  at::Tensor positions;        // [P,C], f32, or undefined
  DeviceNorm norm;
  std::vector<DeviceLayer> layers;
};

struct DeviceFactors {  // undefined: no adapter here
  at::Tensor a, b;      // [rank,in], [out,rank], f32
  double scale = 0;
};
using DeviceAdapter = std::vector<std::vector<DeviceFactors>>;  // by layer, by linear; empty: none

// What the layers need to know of a batch.
struct DeviceBatch {
  DeviceBatch(const DeviceModel& model, const TokenBatch& batch);
  const at::Tensor& mask(
      int window) const;  // [B or 1,1,T,T] of bool: what a query sees; undefined: all before it

  std::int64_t sequences, time;
  at::Tensor ids, positions;  // [N] of int64
  at::Tensor cosine, sine;    // [B or 1,T,1,D/2]; undefined for learned positions
  at::Tensor first_seen;      // [B,1,T,1] of int64, or undefined

 private:
  at::Device device_;
  mutable std::map<int, at::Tensor> masks_;  // by window
};

Result<DeviceModel> load_device_model(const ModelConfig& config, const Weights& weights,
                                      at::Device device, bool bf16);

// Hidden states after the last layer, before the final norm: [N,C].
at::Tensor device_hidden(const DeviceModel& model, const DeviceBatch& batch,
                         const DeviceAdapter& adapter);

// x [n,C] -> [n,V], f32
at::Tensor device_logits(const DeviceModel& model, const at::Tensor& x);

}  // namespace freshet
