#pragma once
// Losses of a model, and the gradient of its adapter, by LibTorch's autograd: on any device that
// the LibTorch at hand has. On the processor pass.h is quicker; there this is the second opinion
// that it is tested against. This header needs no LibTorch, and a program without it has the
// function too: it says that there is none.

#include <memory>
#include <string>

#include "trainer/transformer/pass.h"

namespace freshet {

struct TorchPlan {
  std::string device = "cpu";             // as LibTorch names it: "cuda", "cuda:1"
  Precision precision = Precision::kF32;  // or kBf16: weights in bf16, and both factors of their
                                          // products; else as kF32
  std::int64_t head_rows = 512;           // logits that exist at a time
};

// The vectors are the caller's, of layout.size, and outlive the pass, which reads the values anew
// in every run. No entries: the base model. `gradient` null, or neither factor trained: losses
// alone.
struct AdapterInUse {
  Layout layout = {};
  const float* values = nullptr;
  float* gradient = nullptr;
  bool train_a = false, train_b = false;
};

// Copies the weights to the device. kUnavailable where LibTorch has no such device or the device no
// room; kBadInput for a name that is no device's, for a precision that only pass.h has, and as
// load_transformer(). Where a run asks for more memory than the device has, the process ends with a
// message, as it does for memory of its own.
Result<std::unique_ptr<LossSource>> make_torch_pass(const ModelConfig& config,
                                                    const Weights& weights,
                                                    const AdapterInUse& adapter,
                                                    const TorchPlan& plan);

}  // namespace freshet
