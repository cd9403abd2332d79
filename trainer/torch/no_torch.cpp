// What a program without LibTorch has in the place of torch_pass.cpp and pretrain_llama.cpp.

#include "trainer/pretrain.h"
#include "trainer/torch/torch_pass.h"

namespace freshet {

Result<std::unique_ptr<LossSource>> make_torch_pass(const ModelConfig&, const Weights&,
                                                    const AdapterInUse&, const TorchPlan& plan) {
  return fail(Code::kUnavailable, "device \"" + plan.device +
                                      "\" needs LibTorch, which this program is without; use " +
                                      "freshet-torch, or --device cpu");
}

Result<void> pretrain_model(const ModelConfig&, const PretrainPlan&, const PretrainText&, ByteView,
                            const PretrainReport&) {
  return fail(
      Code::kUnavailable,
      "training all weights needs LibTorch, which this program is without; use freshet-torch");
}

}  // namespace freshet
