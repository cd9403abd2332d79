// Tiny models of every architecture against what transformers and peft computed with them.

#include <cmath>

#include "tests/trainer/every_tile_loops.h"
#include "tests/trainer/golden_model.h"
#include "trainer/transformer/pass.h"

namespace freshet {
namespace {

class Golden : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Architectures, Golden, testing::ValuesIn(golden::kNames),
                         [](const auto& one) {
                           std::string name = one.param;
                           for (char& c : name)
                             if (c == '-') c = '_';
                           return name;
                         });

// The next-token batch of one sequence: every id but the last is an input.
TokenBatch batch_of(const std::vector<std::int32_t>& ids) {
  TokenBatch batch;
  batch.sequences = 1;
  batch.time = static_cast<int>(ids.size()) - 1;
  batch.ids.assign(ids.begin(), ids.end() - 1);
  batch.targets.assign(ids.begin() + 1, ids.end());
  return batch;
}

std::vector<float> all_logits(const golden::Model& model, const Lora& lora) {
  TokenBatch batch;
  batch.ids = model.ids();
  batch.sequences = 1;
  batch.time = static_cast<int>(batch.ids.size());
  Pass pass(model.transformer, lora, {.rows_max = batch.rows()});
  std::vector<float> logits(static_cast<std::size_t>(batch.rows() * model.config.vocab_size));
  Head::logits(model.transformer, batch.rows(), pass.hidden(batch), logits.data());
  return logits;
}

// expected: [position][first entries]
double worst_difference(const Json& expected, const std::vector<float>& logits, int vocab) {
  double worst = 0;
  for (std::size_t t = 0; t < expected.size(); ++t)
    for (std::size_t i = 0; i < expected[t].size(); ++i)
      worst = std::max(worst, std::fabs(expected[t][i].get<double>() -
                                        logits[t * static_cast<std::size_t>(vocab) + i]));
  return worst;
}

TEST_P(Golden, LogitsOfEveryPosition) {
  const golden::Model model(GetParam());
  with_every_tile_loops([&] {
    const double worst = worst_difference(model.expected["logits"], all_logits(model, Lora()),
                                          model.config.vocab_size);
    EXPECT_LT(worst, 1e-4 * model.expected["logits_max"].get<double>());
  });
}

TEST_P(Golden, LossOfTheBaseModel) {
  const golden::Model model(GetParam());
  const TokenBatch batch = batch_of(model.ids());
  const Lora none;
  Pass pass(model.transformer, none, {.rows_max = batch.rows(), .head_rows = 7});
  EXPECT_NEAR(pass.run(batch, 1, nullptr) / static_cast<double>(batch.rows()),
              model.expected["nll"].get<double>(), 1e-4);
}

struct Gradients {
  double loss = 0;
  std::vector<float> values;
};

Gradients gradients_of(const golden::Model& model, const PeftAdapter& adapter, bool recompute) {
  const Layout layout = adapter_layout(model.config, adapter.spec).value();
  Gradients found;
  found.values.assign(layout.size, 0.0f);
  const Lora lora(model.config, layout, adapter.values.data(), found.values.data(), true, true);
  const TokenBatch batch = batch_of(model.ids());
  Pass pass(model.transformer, lora,
            {.rows_max = batch.rows(), .head_rows = 7, .train = true, .recompute = recompute});
  const float factor = 1.0f / static_cast<float>(batch.rows());
  found.loss = pass.run(batch, factor, nullptr) * factor;
  return found;
}

void check_gradients(const golden::Model& model, const PeftAdapter& adapter) {
  const Layout layout = adapter_layout(model.config, adapter.spec).value();
  const std::string bytes = golden::read(model.folder / "gradients.safetensors");
  const Safetensors file = read_safetensors(as_bytes(bytes), "gradients").value();
  for (const bool recompute : {false, true}) {
    const Gradients found = gradients_of(model, adapter, recompute);
    EXPECT_NEAR(found.loss, model.expected["lora"]["loss"].get<double>(), 1e-4);
    std::size_t seen = 0;
    for (const LayoutEntry& entry : layout.entries) {
      const TensorView* view =
          file.find("base_model.model." + entry.module +
                    (entry.factor == Factor::kA ? ".lora_A.weight" : ".lora_B.weight"));
      ASSERT_NE(view, nullptr) << entry.module;
      const std::vector<float> wanted = to_f32(*view).value();
      double square = 0, difference = 0;
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        square += double{wanted[i]} * wanted[i];
        difference += std::pow(double{wanted[i]} - found.values[entry.offset + i], 2);
      }
      EXPECT_LE(std::sqrt(difference), 1e-3 * std::sqrt(square) + 1e-9)
          << entry.module << " recompute " << recompute;
      seen += square > 0;
    }
    EXPECT_GT(seen, 0u);
  }
}

TEST_P(Golden, LossAndGradientsOfAnAdapter) {
  const golden::Model model(GetParam());
  const PeftAdapter adapter = model.adapter();
  with_every_tile_loops([&] { check_gradients(model, adapter); });
}

TEST_P(Golden, LogitsWithAnAdapter) {
  const golden::Model model(GetParam());
  const PeftAdapter adapter = model.adapter();
  const Layout layout = adapter_layout(model.config, adapter.spec).value();
  const Lora lora(model.config, layout, adapter.values.data(), nullptr, false, false);
  const std::vector<float> logits = all_logits(model, lora);
  const std::size_t last = logits.size() - static_cast<std::size_t>(model.config.vocab_size);
  const Json& wanted = model.expected["lora"]["logits"];
  const double allowed = 1e-4 * model.expected["lora"]["logits_max"].get<double>();
  for (std::size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(logits[last + i], wanted[i].get<double>(), allowed);
}

}  // namespace
}  // namespace freshet
