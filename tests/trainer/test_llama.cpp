#include <gtest/gtest.h>

#include "base/rng.h"
#include "tests/trainer/reference_llama.h"
#include "trainer/torch/llama.h"
#include "trainer/torch/pretrain_llama.h"

namespace freshet {
namespace {

constexpr std::uint64_t kSeed = 20;

ModelConfig small_config() {
  ModelConfig config;
  config.vocab_size = 61;
  config.hidden_size = 24;
  config.intermediate_size = 40;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 6;
  config.max_positions = 32;
  config.tied_embeddings = true;
  return config;
}

at::Tensor random_ids(int batch, int time, int vocab) {
  Rng rng(kSeed, 1);
  at::Tensor ids = at::empty({batch, time}, at::kLong);
  for (std::int64_t i = 0; i < ids.numel(); ++i)
    ids.data_ptr<std::int64_t>()[i] =
        static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(vocab)));
  return ids;
}

// Weights large enough that every part matters.
Llama lively_llama() {
  Llama llama = random_llama(small_config(), kSeed);
  for (NamedWeight& weight : named_weights(llama))
    if (weight.shape.size() > 1) weight.tensor->mul_(8);
  return llama;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

at::Tensor logits_of(const Llama& llama, const at::Tensor& ids) {
  return linear(hidden_states(llama, ids, Products::kF32), llama.head, Products::kF32);
}

TEST(Llama, GivesTheLogitsOfThePlainModel) {
  const Llama llama = lively_llama();
  const at::Tensor ids = random_ids(3, 17, 61);
  const at::Tensor expected = reference::logits(llama, ids);
  EXPECT_LT(largest_difference(logits_of(llama, ids), expected),
            1e-4 * expected.abs().max().item<double>());
}

TEST(Llama, GivesTheWeightGradientsOfThePlainModel) {
  Llama llama = lively_llama();
  for (NamedWeight& weight : named_weights(llama)) weight.tensor->requires_grad_(true);
  llama.head = llama.embedding;
  const at::Tensor ids = random_ids(2, 12, 61),
                   targets = random_ids(2, 12, 61).flip({1}).reshape({-1}).contiguous();
  auto loss_now = [&] {
    return head_loss(hidden_states(llama, ids, Products::kF32), llama.head, targets,
                     Products::kF32);
  };
  loss_now().backward();
  // Central differences on the plain model, a few entries of every weight.
  Rng rng(kSeed, 3);
  for (NamedWeight& weight : named_weights(llama)) {
    const at::Tensor gradient = weight.tensor->grad().clone();
    const double size = gradient.abs().max().item<double>();
    for (int probe = 0; probe < 3; ++probe) {
      const auto at =
          static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(gradient.numel())));
      float& value = weight.tensor->data_ptr<float>()[at];
      const float kept = value, h = 1e-2f * std::max(1.0f, std::abs(kept));
      auto plain_at = [&](float changed) {
        at::NoGradGuard no_gradient;
        value = changed;
        return at::nll_loss(at::log_softmax(reference::logits(llama, ids), 1), targets)
            .item<double>();
      };
      const double up = plain_at(kept + h), down = plain_at(kept - h);
      value = kept;
      EXPECT_NEAR(gradient.data_ptr<float>()[at], (up - down) / (2.0 * h), 0.03 * size + 1e-5)
          << weight.name << " entry " << at;
    }
  }
}

TEST(Llama, SurvivesItsOwnFile) {
  Llama llama = random_llama(small_config(), kSeed);
  const Bytes file = to_safetensors(llama);
  const Result<Llama> again = load_llama(small_config(), file, "model.safetensors");
  ASSERT_TRUE(again) << again.error().what;
  const at::Tensor ids = random_ids(1, 8, 61);
  const at::Tensor a = hidden_states(llama, ids, Products::kF32),
                   b = hidden_states(*again, ids, Products::kF32);
  EXPECT_LT(largest_difference(a, b), 0.05);  // bf16 keeps eight bits
}

TEST(Llama, NamesTheTensorThatIsMissingOrMisshapen) {
  Llama llama = random_llama(small_config(), kSeed);
  const Bytes file = to_safetensors(llama);
  ModelConfig deeper = small_config(), wider = small_config();
  deeper.layers = 3;
  wider.intermediate_size = 41;
  const Result<Llama> missing = load_llama(deeper, file, "m"),
                      misshapen = load_llama(wider, file, "m");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().what.find("model.layers.2."), std::string::npos)
      << missing.error().what;
  ASSERT_FALSE(misshapen);
  EXPECT_NE(misshapen.error().what.find("gate_proj"), std::string::npos) << misshapen.error().what;
}

}  // namespace
}  // namespace freshet
