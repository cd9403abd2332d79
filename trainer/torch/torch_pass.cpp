#include "trainer/torch/torch_pass.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <omp.h>

#include <unordered_map>

#include "base/check.h"
#include "model/modules.h"
#include "trainer/torch/device_model.h"

namespace freshet {
namespace {

// The kernels' clamps bound the numbers alone: gradients are those of what was bounded.
at::Tensor at_least(const at::Tensor& x, double low) { return x + (x.clamp_min(low) - x).detach(); }

// z [n,V], ids, q [n,K] -> [n]: kernels::distillation()'s loss without its weights.
at::Tensor teacher_loss(const at::Tensor& z, const at::Tensor& ids, const at::Tensor& q,
                        double temperature) {
  const at::Tensor p = at_least(at::softmax(z / temperature, 1).gather(1, ids), 1e-12);  // [n,K]
  const at::Tensor rest_p = at_least(1 - p.sum(1), 1e-6),
                   rest_q = (1 - q.sum(1)).clamp_min(0);  // [n]
  return ((q * p.log()).sum(1) + rest_q * rest_p.log()) * (-temperature * temperature);
}

at::Device checked_device(const std::string& name) {
  const at::Device device(name);
  at::empty({1}, at::TensorOptions(at::kFloat).device(device));
  return device;
}

Result<at::Device> device_of(const std::string& name) {
  try {
    const at::Device device(name);
    if (device.is_cuda() && !at::hasCUDA())
      return fail(Code::kUnavailable,
                  "this LibTorch has no CUDA device: it was built without CUDA, or the machine has "
                  "no NVIDIA GPU that it can "
                  "use; use --device cpu");
  } catch (const c10::Error&) {
    return fail(Code::kBadInput,
                "\"" + name + "\" is no device's name; use --device cpu or --device cuda");
  }
  try {
    return checked_device(name);
  } catch (const std::exception&) {
    return fail(Code::kUnavailable,
                "this LibTorch has no device \"" + name + "\"; use --device cpu");
  }
}

class TorchPass final : public LossSource {
 public:
  TorchPass(DeviceModel model, const AdapterInUse& adapter, const TorchPlan& plan)
      : model_(std::move(model)), adapter_(adapter), plan_(plan) {
    const std::vector<LinearModule> modules = linear_modules(model_.config);
    for (int l = 0; l < model_.config.layers; ++l)
      for (std::size_t m = 0; m < modules.size(); ++m)
        places_[layer_prefix(model_.config, l) + std::string(modules[m].path)] = {
            static_cast<std::size_t>(l), m};
    linears_ = modules.size();
  }

  double run(const TokenBatch& batch, float factor, const TeacherRows* teacher) override {
    CHECK(batch.rows() > 0 && batch.time <= model_.config.max_positions, "{} rows of {}",
          batch.rows(), batch.time);
    try {
      return run_on_device(batch, factor, teacher);
    } catch (const std::exception& error) {
      CHECK(false,
            "LibTorch on {} failed; where it lacks memory, a smaller --batch or --window helps: {}",
            plan_.device, error.what());
      throw;
    }
  }

 private:
  struct Trained {
    at::Tensor tensor;
    std::size_t offset;
  };

  double run_on_device(const TokenBatch& batch, float factor, const TeacherRows* teacher) {
    std::vector<Trained> trained;
    const DeviceAdapter adapter = factors(trained);
    const at::AutoGradMode mode(!trained.empty());
    const DeviceBatch on_device(model_, batch);
    const at::Tensor x = device_hidden(model_, on_device, adapter);  // [N,C]
    double sum = 0;
    std::vector<at::Tensor> gradients;
    for (std::int64_t first = 0; first < batch.rows(); first += plan_.head_rows) {
      at::Tensor part =
          x.narrow(0, first, std::min(plan_.head_rows, batch.rows() - first)).detach();  // [n,C]
      part.requires_grad_(!trained.empty());
      const at::Tensor loss = loss_of(part, batch, first, teacher);
      sum += loss.item<double>();
      if (trained.empty()) continue;
      (loss * static_cast<double>(factor)).backward();
      gradients.push_back(part.grad());
    }
    if (!trained.empty()) x.backward(at::cat(gradients));
    for (const Trained& one : trained) {
      if (!one.tensor.grad().defined()) continue;
      const at::Tensor gradient = one.tensor.grad().to(at::kCPU).contiguous();
      const float* from = gradient.data_ptr<float>();
      for (std::int64_t i = 0; i < gradient.numel(); ++i)
        adapter_.gradient[one.offset + static_cast<std::size_t>(i)] += from[i];
    }
    return sum;
  }

  // The adapter's factors as the vector has them now; those that get gradients are leaves, named in
  // `trained`.
  DeviceAdapter factors(std::vector<Trained>& trained) const {
    if (adapter_.layout.entries.empty()) return {};
    DeviceAdapter made(model_.layers.size(), std::vector<DeviceFactors>(linears_));
    const at::Tensor all = at::from_blob(const_cast<float*>(adapter_.values),
                                         {static_cast<std::int64_t>(adapter_.layout.size)})
                               .clone()
                               .to(model_.device);
    for (const LayoutEntry& entry : adapter_.layout.entries) {
      const auto place = places_.find(entry.module);
      CHECK(place != places_.end(), "no module {}", entry.module);
      DeviceFactors& factors = made[place->second.first][place->second.second];
      const bool is_a = entry.factor == Factor::kA;
      at::Tensor tensor = all.narrow(0, static_cast<std::int64_t>(entry.offset),
                                     static_cast<std::int64_t>(entry.size()))
                              .view({entry.rows, entry.columns})
                              .detach();
      if (adapter_.gradient != nullptr && (is_a ? adapter_.train_a : adapter_.train_b)) {
        tensor.requires_grad_(true);
        trained.push_back({tensor, entry.offset});
      }
      (is_a ? factors.a : factors.b) = tensor;
      factors.scale = static_cast<double>(entry.scale);
    }
    return made;
  }

  // Sum over the rows of x [n,C] whose targets count; they are rows first, first + 1, ... of the
  // batch.
  at::Tensor loss_of(const at::Tensor& x, const TokenBatch& batch, std::int64_t first,
                     const TeacherRows* teacher) const {
    const std::int64_t rows = x.size(0);
    at::Tensor targets = at::empty({rows, 1}, at::kLong);
    std::copy_n(batch.targets.begin() + first, rows, targets.data_ptr<std::int64_t>());
    targets = targets.to(model_.device);
    const at::Tensor z = device_logits(model_, x);                                    // [n,V]
    at::Tensor loss = z.logsumexp(1) - z.gather(1, targets.clamp_min(0)).squeeze(1);  // [n]
    if (teacher != nullptr) {
      const std::int64_t at = first * teacher->kept, kept = teacher->kept;
      const at::Tensor ids = at::from_blob(const_cast<std::int64_t*>(teacher->ids.data() + at),
                                           {rows, kept}, at::kLong)
                                 .clone();
      const at::Tensor q =
          at::from_blob(const_cast<float*>(teacher->q.data() + at), {rows, kept}).clone();
      loss = loss * static_cast<double>(teacher->plain_weight) +
             teacher_loss(z, ids.to(model_.device), q.to(model_.device),
                          static_cast<double>(teacher->temperature)) *
                 static_cast<double>(teacher->teacher_weight);
    }
    return loss.masked_fill(targets.squeeze(1) < 0, 0).sum(at::kDouble);
  }

  DeviceModel model_;
  AdapterInUse adapter_;
  TorchPlan plan_;
  std::unordered_map<std::string, std::pair<std::size_t, std::size_t>>
      places_;  // module -> layer, linear
  std::size_t linears_ = 0;
};

}  // namespace

Result<std::unique_ptr<LossSource>> make_torch_pass(const ModelConfig& config,
                                                    const Weights& weights,
                                                    const AdapterInUse& adapter,
                                                    const TorchPlan& plan) {
  if (plan.precision != Precision::kF32 && plan.precision != Precision::kBf16)
    return fail(Code::kBadInput,
                "weights as " + std::string(name_of(plan.precision)) +
                    " are for the processor alone; use --precision bf16 or --device cpu");
  TRY_ASSIGN(const at::Device device, device_of(plan.device));
  at::set_num_threads(
      omp_get_max_threads());  // else LibTorch takes its own choice when it first computes
  try {
    TRY_ASSIGN(DeviceModel model,
               load_device_model(config, weights, device, plan.precision == Precision::kBf16));
    return std::make_unique<TorchPass>(std::move(model), adapter, plan);
  } catch (const std::exception& error) {
    return fail(Code::kUnavailable, "the weights could not be copied to device \"" + plan.device +
                                        "\" (memory?); use a smaller model or --device cpu: " +
                                        std::string(error.what()).substr(0, 300));
  }
}

}  // namespace freshet
