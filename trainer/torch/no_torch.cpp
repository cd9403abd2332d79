// What a build without LibTorch has in the place of torch_pass.cpp and pretrain.cpp.

#include "trainer/pretrain.h"
#include "trainer/torch/torch_pass.h"

namespace freshet {

Result<std::unique_ptr<LossSource>> make_torch_pass(const ModelConfig&, const Weights&,
                                                    const AdapterInUse&, const TorchPlan& plan) {
  return fail(Code::kUnavailable,
              "device \"" + plan.device +
                  "\" needs LibTorch, which this build is without; use --device cpu");
}

Result<void> pretrain_model(const ModelConfig&, const PretrainPlan&, const PretrainText&, ByteView,
                            const PretrainReport&) {
  return fail(Code::kUnavailable,
              "training all weights needs LibTorch, which this build is without; build with "
              "FRESHET_TORCH=ON");
}

}  // namespace freshet
