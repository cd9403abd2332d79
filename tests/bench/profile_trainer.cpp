// Where the time and the memory of one training step go, for a model of random weights in the shape
// of SmolLM2-135M or another one that is given. No LibTorch.
//
// bench_profile_trainer [--config FILE] [--batch B] [--window T] [--precision f32|bf16|int8|nf4]
// [--recompute] [--steps N]
//                       [--threads N] [--loops portable|avx2|avx512|avx512_bf16] [--json FILE]

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "tests/trainer/random_model.h"
#include "trainer/kernels/tile.h"
#include "trainer/kernels/timing.h"
#include "trainer/threads.h"
#include "trainer/training/batches.h"
#include "trainer/training/memory_plan.h"
#include "trainer/training/optimizer_state.h"
#include "trainer/transformer/pass.h"

namespace freshet {
namespace {

struct Flags {
  std::string config, json, loops, precision = "bf16";
  int batch = 4, window = 256, steps = 4, threads = 0, rank = 8, head_rows = 512;
  bool recompute = false;
};

constexpr const char* kKindNames[timing::kKinds] = {"other",
                                                    "products, forward",
                                                    "products, backward",
                                                    "LoRA",
                                                    "attention",
                                                    "norms",
                                                    "head and loss",
                                                    "kept activations",
                                                    "rounding to bf16",
                                                    "activation function",
                                                    "rotation",
                                                    "optimiser"};

ModelConfig smollm2_135m() {
  ModelConfig config;
  config.vocab_size = 49152;
  config.hidden_size = 576;
  config.intermediate_size = 1536;
  config.layers = 30;
  config.heads = 9;
  config.kv_heads = 3;
  config.head_dim = 64;
  config.max_positions = 8192;
  config.rope_theta = 100000;
  config.tied_embeddings = true;
  return config;
}

// Mapped by this process: what Memory<> asks for changes it by exactly so much.
std::uint64_t mapped_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  file >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

struct Part {
  std::string name;
  double value;
};

// What each part of a pass asks for, by making it once more.
std::vector<Part> memory_parts(const Transformer& model, const Lora& lora, const Layout& layout,
                               const Flags& flags) {
  const std::int64_t rows = std::int64_t{flags.batch} * flags.window;
  const bool bf16 = model.bf16_products();
  const auto grown = [](auto make) {
    const std::uint64_t before = mapped_bytes();
    const auto made = make();
    return static_cast<double>(mapped_bytes() - before);
  };
  double weights = 0;
  for (const Memory<std::uint8_t>& own : model.owned) weights += static_cast<double>(own.size());
  for (const WeightView& view : model.mapped->all())
    weights += model.owned.empty() ? static_cast<double>(view.bytes.size()) : 0;
  const int layers = model.config.layers;
  const double layer = grown([&] {
    return std::make_unique<KeptLayer>(model, rows, lora, flags.recompute ? -1 : 0, bf16);
  });
  const double input = grown([&] {
    return std::make_unique<Kept>(rows * model.config.hidden_size, bf16 && !flags.recompute);
  });
  return {
      {"weights", weights},
      {"inputs of layers", input * layers},
      {"kept activations", layer * (flags.recompute ? 1 : layers)},
      {"workspace", grown([&] { return std::make_unique<Workspace>(model, lora, rows, true); })},
      {"logits", grown([&] { return std::make_unique<Head>(model, flags.head_rows); })},
      {"adapter, gradient, moments", 16.0 * static_cast<double>(layout.size)}};
}

std::vector<Part> time_parts(const timing::Table& table, const ModelConfig& config, int steps) {
  std::vector<Part> parts;
  for (std::size_t kind = 0; kind < timing::kKinds; ++kind) {
    const bool by_module = kind == static_cast<std::size_t>(timing::Kind::kForward) ||
                           kind == static_cast<std::size_t>(timing::Kind::kBackward);
    double sum = 0;
    for (const double seconds : table.seconds[kind]) sum += seconds;
    if (!by_module) {
      parts.push_back({kKindNames[kind], sum / steps});
      continue;
    }
    const std::vector<LinearModule> modules = linear_modules(config);
    for (std::size_t i = 0; i < modules.size(); ++i)
      parts.push_back({std::string(kKindNames[kind]) + ": " + std::string(modules[i].path),
                       table.seconds[kind][i] / steps});
  }
  return parts;
}

void print(const char* title, const std::vector<Part>& parts, double factor, const char* unit) {
  double sum = 0;
  for (const Part& part : parts) sum += part.value;
  std::printf("%s\n", title);
  for (const Part& part : parts)
    if (part.value > 0)
      std::printf("  %-40s %9.2f %s  %5.1f %%\n", part.name.c_str(), part.value * factor, unit,
                  100 * part.value / sum);
  std::printf("  %-40s %9.2f %s\n\n", "all", sum * factor, unit);
}

Json json_of(const std::vector<Part>& parts) {
  Json out = Json::object();
  for (const Part& part : parts) out[part.name] = part.value;
  return out;
}

Result<ModelConfig> config_of(const Flags& flags) {
  if (flags.config.empty()) return smollm2_135m();
  TRY_ASSIGN(const std::string text, read_file(flags.config, 1 << 20));
  return parse_model_config(text, flags.config);
}

TokenBatch random_batch(const ModelConfig& config, const Flags& flags) {
  Rng rng(3);
  TokenBatch batch = empty_batch(flags.batch, flags.window);
  for (std::size_t n = 0; n < batch.ids.size(); ++n) {
    batch.ids[n] =
        static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(config.vocab_size)));
    batch.targets[n] =
        static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(config.vocab_size)));
  }
  return batch;
}

Result<void> choose_loops(const std::string& name) {
  if (name.empty()) return {};
  for (const kernels::TileLoops* loops : kernels::tile_loops_here())
    if (name == loops->name) {
      kernels::use_tile_loops(*loops);
      return {};
    }
  return fail(Code::kBadInput, "this processor does not run the loops \"" + name + "\"");
}

Result<void> run(const Flags& flags) {
  TRY(choose_loops(flags.loops));
  warm_up(flags.threads > 0 ? flags.threads : thread_count());
  TRY_ASSIGN(const ModelConfig config, config_of(flags));
  Precision precision = Precision::kF32;
  for (const Precision one : {Precision::kBf16, Precision::kInt8, Precision::kNf4})
    if (flags.precision == name_of(one)) precision = one;
  const Dtype dtype = precision == Precision::kF32 ? Dtype::kF32 : Dtype::kBF16;
  TRY_ASSIGN(const Transformer model,
             load_transformer(config, random_weights(config, dtype, 1), precision));
  TrainPlan plan;
  plan.base.adapter.rank = flags.rank;
  plan.base.train_a = plan.base.train_b = true;
  TRY_ASSIGN(const Layout layout, adapter_layout(config, plan.base.adapter));
  std::vector<float> values = initial_adapter(layout, 1), gradient(layout.size);
  const Lora lora(config, layout, values.data(), gradient.data(), true, true);
  OptimizerState optimizer(layout, plan);
  Pass pass(model, lora,
            {std::int64_t{flags.batch} * flags.window, flags.head_rows, true, flags.recompute});
  const TokenBatch batch = random_batch(config, flags);
  const auto step = [&] {
    std::fill(gradient.begin(), gradient.end(), 0.0f);
    pass.run(batch, 1.0f / static_cast<float>(batch.rows()), nullptr);
    const timing::Scope scope(timing::Kind::kOptimizer);
    optimizer.step(1e-4f, gradient, values);
  };
  step();  // makes the memory
  timing::Table table;
  timing::table = &table;
  for (int i = 0; i < flags.steps; ++i) step();
  table.turn_to(timing::Kind::kOther, 0);
  timing::table = nullptr;
  const std::vector<Part> time = time_parts(table, config, flags.steps),
                          memory = memory_parts(model, lora, layout, flags);
  double seconds = 0;
  for (const Part& part : time) seconds += part.value;
  std::printf("%.1f M parameters in %s, %d x %d tokens, %d threads, loops %s: %.0f tokens/s\n\n",
              static_cast<double>(model.parameters) / 1e6, std::string(name_of(precision)).c_str(),
              flags.batch, flags.window, thread_count(), kernels::tile_loops().name,
              static_cast<double>(batch.rows()) / seconds);
  print("time of a step", time, 1e3, "ms");
  print("memory", memory, 1e-6, "MB");
  if (flags.json.empty()) return {};
  const Json out = {{"precision", name_of(precision)},
                    {"batch", flags.batch},
                    {"window", flags.window},
                    {"threads", thread_count()},
                    {"loops", kernels::tile_loops().name},
                    {"recompute", flags.recompute},
                    {"parameters", model.parameters},
                    {"step_seconds", seconds},
                    {"tokens_per_second", static_cast<double>(batch.rows()) / seconds},
                    {"seconds", json_of(time)},
                    {"bytes", json_of(memory)}};
  return write_file_durably(flags.json, as_bytes(to_text(out, 2) + "\n"));
}

bool take_number(std::string_view text, int low, int high, int& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value >= low && value <= high;
}

// False for a flag that is none, or a value that it does not take.
bool take_flag(std::string_view name, std::string_view value, Flags& flags) {
  if (name == "--config") return !(flags.config = value).empty();
  if (name == "--loops") return !(flags.loops = value).empty();
  if (name == "--json") return !(flags.json = value).empty();
  if (name == "--batch") return take_number(value, 1, 1024, flags.batch);
  if (name == "--window") return take_number(value, 2, 32768, flags.window);
  if (name == "--steps") return take_number(value, 1, 1000, flags.steps);
  if (name == "--threads") return take_number(value, 0, 256, flags.threads);
  if (name == "--rank") return take_number(value, 1, 1024, flags.rank);
  if (name != "--precision") return false;
  flags.precision = value;
  return value == "f32" || value == "bf16" || value == "int8" || value == "nf4";
}

bool take_flags(const std::vector<std::string_view>& words, Flags& flags) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--recompute")
      flags.recompute = true;
    else if (i + 1 == words.size() || !take_flag(words[i], words[i + 1], flags))
      return false;
    else
      ++i;
  }
  return true;
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) {
  freshet::Flags flags;
  if (!freshet::take_flags({argv + 1, argv + argc}, flags)) {
    std::fputs(
        "usage: bench_profile_trainer [--config FILE] [--batch B] [--window T] [--precision "
        "f32|bf16|int8|nf4]\n       [--recompute] [--rank R] [--steps N] [--threads N]\n       "
        "[--loops portable|avx2|avx512|avx512_bf16] [--json "
        "FILE]\n",
        stderr);
    return 2;
  }
  const freshet::Result<void> done = freshet::run(flags);
  if (!done) std::fprintf(stderr, "%s\n", done.error().what.c_str());
  return done ? 0 : 1;
}
