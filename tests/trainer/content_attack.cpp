#include "tests/trainer/content_attack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "aggregation/clip.h"
#include "aggregation/mask.h"
#include "aggregation/privacy/noisy_update.h"
#include "base/rng.h"
#include "trainer/training/train.h"

namespace freshet {
namespace {

Grid grid_of(double clip) {  // as campaigns have it
  return {.range = static_cast<float>(clip / 16), .bits = 16, .weight_max = 1};
}

template <class T>
T must(Result<T> result) {
  EXPECT_TRUE(result) << result.error().what;
  return std::move(*result);
}

Layout layout_of(const Transformer& model, const TrainPlan& plan) {
  return must(adapter_layout(model.config, plan.base.adapter));
}

FillRandom filled_from(Rng& rng) {
  return [&rng](std::span<std::uint32_t> words) {
    for (std::uint32_t& word : words) word = rng.next_u32();
  };
}

// x [C] of a token in the first layer, then A x [rank].
std::vector<double> seen_through_a(const LoadedModel& model, const LayoutEntry& a,
                                   const std::vector<float>& adapter, TokenId token) {
  const Transformer& transformer = model.model;
  const auto width = static_cast<std::size_t>(transformer.config.hidden_size);
  std::vector<float> x(width);
  kernels::read_row(transformer.embedding, token, 0, static_cast<std::int64_t>(width), x.data());
  double squares = 0;
  for (const float value : x) squares += static_cast<double>(value) * value;
  const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + 1e-5);
  const std::vector<float>& weight = transformer.layers[0].attention_norm.weight;
  std::vector<double> seen(static_cast<std::size_t>(a.rows));
  for (std::size_t row = 0; row < seen.size(); ++row)
    for (std::size_t i = 0; i < width; ++i)
      seen[row] += static_cast<double>(adapter[a.offset + row * width + i]) * scale *
                   static_cast<double>(x[i]) * static_cast<double>(weight[i]);
  return seen;
}

// The lower factor L of m = L L^T, in place.
void factorise(std::vector<double>& m, std::size_t n) {
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t k = 0; k < j; ++k) m[j * n + j] -= m[j * n + k] * m[j * n + k];
    m[j * n + j] = std::sqrt(m[j * n + j]);
    for (std::size_t i = j + 1; i < n; ++i) {
      for (std::size_t k = 0; k < j; ++k) m[i * n + j] -= m[i * n + k] * m[j * n + k];
      m[i * n + j] /= m[j * n + j];
    }
  }
}

// u^T (L L^T)^-1 u
double solved_square(const std::vector<double>& factor, std::vector<double> u) {
  const std::size_t n = u.size();
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) u[i] -= factor[i * n + k] * u[k];
    u[i] /= factor[i * n + i];
    sum += u[i] * u[i];
  }
  return sum;
}

const LayoutEntry& first_v_proj(const Layout& layout, Factor factor) {
  const auto found = std::find_if(layout.entries.begin(), layout.entries.end(), [&](const auto& e) {
    return e.factor == factor && e.module == "model.layers.0.self_attn.v_proj";
  });
  EXPECT_NE(found, layout.entries.end());
  return *found;
}

}  // namespace

LoadedModel committed_model() {
  const ModelFiles files = must(open_model_folder("models/edge-slm"));
  return must(load_model(files, Precision::kF32));
}

std::vector<TokenId> some_prose(const Tokenizer& tokenizer, std::size_t tokens,
                                std::uint64_t seed) {
  static const std::vector<std::string> kWho = {
      "The old miller", "A young doctor", "Her brother",  "The captain",     "Nobody in the town",
      "My neighbour",   "The teacher",    "An engineer",  "The two farmers", "A quiet visitor",
      "The queen",      "Your cousin",    "The gardener", "A tired soldier", "The judge"};
  static const std::vector<std::string> kDid = {
      " walked slowly towards", " never spoke about",   " carefully measured",
      " bought and sold",       " wrote a letter to",   " remembered",
      " was afraid of",         " built a wall around", " painted",
      " could not find",        " quarrelled over",     " promised to protect"};
  static const std::vector<std::string> kWhat = {
      " the river",         " a broken clock",   " seven black horses", " the winter storm",
      " his father's coat", " the empty church", " a bag of salt",      " the southern road",
      " their daughter",    " an iron bridge",   " the market",         " a letter from Spain"};
  static const std::vector<std::string> kWhen = {
      " before sunrise. ", " last October. ",     " for eleven years. ", " after the war. ",
      " without a word. ", " on Tuesday night. ", " in heavy rain. ",    " because of money. "};
  Rng rng(seed, 0x70726f7365);
  std::string text;
  std::vector<TokenId> ids;
  while (ids.size() < tokens) {
    for (const auto* parts : {&kWho, &kDid, &kWhat, &kWhen})
      text += (*parts)[rng.below(parts->size())];
    ids = tokenizer.encode(text, false);
  }
  ids.resize(tokens);
  return ids;
}

ClippedUpdate learned_from(const Transformer& model, const TrainPlan& plan, const TokenStream& text,
                           double norm_max) {
  const Layout whole = layout_of(model, plan);
  const Layout phase = phase_layout(whole, plan.base.train_a, plan.base.train_b);
  const std::vector<float> start = initial_adapter(whole, 1);
  const Trained trained = must(train(model, plan, whole, TrainState{.adapter = start}, text, {}));
  Update update{gather(whole, phase, trained.state.adapter), 1};
  const std::vector<float> before = gather(whole, phase, start);
  for (std::size_t i = 0; i < before.size(); ++i) update.values[i] -= before[i];
  return must(clip(std::move(update), norm_max)).update;
}

std::vector<float> opened_mean(const std::vector<ClippedUpdate>& updates, const Opening& opening) {
  Rng rng(opening.seed, 0x6d65616e);
  const Grid grid = grid_of(opening.clip);
  const double multiplier = opening.multiplier;
  const auto count = static_cast<std::uint32_t>(updates.size());
  const std::size_t entries = updates.front().values.size();
  NoisePlan plan;
  Noise noise;
  if (multiplier > 0) {
    plan = {.multiplier = multiplier, .sampling_rate = 1, .delta = 1e-5, .honest_min = count};
    noise = must(noise_of(plan, opening.clip, grid, entries));
  }
  const double sigma = multiplier > 0 ? noise.sigma_of_sum(count) : 0;
  const int bits = must(word_bits(grid, count, sigma));
  const std::uint32_t low = bits == 32 ? ~0u : (1u << bits) - 1;
  QuantizedSum sum{std::vector<std::uint32_t>(entries + 1, 0), count};
  for (const ClippedUpdate& update : updates) {
    QuantizedUpdate words = multiplier > 0
                                ? quantize_within(update, grid, plan, noise, true, filled_from(rng))
                                : quantize(update, grid, filled_from(rng));
    if (multiplier > 0) add_noise(words, noise, bits, filled_from(rng));
    for (std::size_t i = 0; i < sum.words.size(); ++i)
      sum.words[i] = (sum.words[i] + words.words[i]) & low;
  }
  if (multiplier > 0) return must(noisy_mean(sum, grid, plan, bits)).mean.values;
  return must(dequantize_mean(sum, grid)).values;
}

std::vector<float> adapter_with(const Transformer& model, const TrainPlan& plan,
                                const std::vector<float>& mean) {
  const Layout whole = layout_of(model, plan);
  std::vector<float> adapter = initial_adapter(whole, 1);
  scatter_add(whole, phase_layout(whole, plan.base.train_a, plan.base.train_b), mean, adapter);
  return adapter;
}

std::vector<double> span_scores(const LoadedModel& model, const TrainPlan& plan,
                                const std::vector<float>& mean, double noise) {
  const Layout whole = layout_of(model.model, plan);
  const Layout phase = phase_layout(whole, false, true);
  const LayoutEntry& a = first_v_proj(whole, Factor::kA);
  const LayoutEntry& b = first_v_proj(phase, Factor::kB);
  const auto rank = static_cast<std::size_t>(b.columns);
  std::vector<double> energy(rank * rank, 0.0);  // B^T B + noise
  for (std::size_t row = 0; row < static_cast<std::size_t>(b.rows); ++row)
    for (std::size_t i = 0; i < rank; ++i)
      for (std::size_t j = 0; j < rank; ++j)
        energy[i * rank + j] += static_cast<double>(mean[b.offset + row * rank + i]) *
                                static_cast<double>(mean[b.offset + row * rank + j]);
  for (std::size_t i = 0; i < rank; ++i)
    energy[i * rank + i] += noise * static_cast<double>(b.rows);
  factorise(energy, rank);
  const std::vector<float> adapter = initial_adapter(whole, 1);
  std::vector<double> scores;
  for (TokenId token = 0; token < model.model.config.vocab_size; ++token) {
    const std::vector<double> u = seen_through_a(model, a, adapter, token);
    const double length = std::inner_product(u.begin(), u.end(), u.begin(), 0.0);
    scores.push_back(solved_square(energy, u) / length);
  }
  return scores;
}

double found_share(const std::vector<double>& scores, const std::set<TokenId>& truth) {
  std::vector<TokenId> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](TokenId x, TokenId y) {
    return scores[static_cast<std::size_t>(x)] < scores[static_cast<std::size_t>(y)];
  });
  double found = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) found += truth.contains(order[i]) ? 1 : 0;
  return found / static_cast<double>(truth.size());
}

}  // namespace freshet
