#include "simulations/adapt/recipe.h"

namespace freshet {
namespace {

CampaignPlan campaign_of(std::uint64_t seed, int rank, std::uint32_t rounds, float lr) {
  CampaignPlan plan;
  plan.method = Method::kFedit;
  plan.rule = Momentum{.lr = 0.5f, .beta = 0.8f};
  plan.rounds = rounds;
  plan.lora = {.rank = rank, .alpha = 2.0f * static_cast<float>(rank), .targets = {}, .seed = seed};
  plan.training = {.steps = 10, .batch = 8, .window = 128, .lr = lr, .seed = seed};
  plan.clip = 30;
  return plan;
}

}  // namespace

AdaptRecipe default_recipe(std::uint64_t seed) {
  AdaptRecipe recipe;
  recipe.seed = seed;
  recipe.campaign = campaign_of(seed, 32, 24, 6e-3f);
  recipe.of_llm = campaign_of(seed, 16, 24, 3e-3f);
  recipe.oracle.seed = recipe.home.seed = recipe.answers.seed = recipe.learning.seed = seed;
  recipe.learning.adapter = recipe.oracle.adapter = {16, 32};
  recipe.learning.steps = 400;
  recipe.learning.lr = 4e-3f;
  recipe.learning.warmup = 20;
  return recipe;
}

}  // namespace freshet
