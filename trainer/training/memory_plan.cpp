#include "trainer/training/memory_plan.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "model/modules.h"
#include "trainer/kernels/attention.h"
#include "trainer/kernels/tile.h"

namespace freshet {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

// The lengths of one layer that everything is counted in.
struct Widths {
  explicit Widths(const ModelConfig& config)
      : c(config.hidden_size),
        f(config.intermediate_size),
        wide(std::int64_t{config.heads} * config.head_dim),
        narrow(std::int64_t{config.kv_heads} * config.head_dim),
        heads(config.heads),
        kv_heads(config.kv_heads),
        vocab(config.vocab_size),
        gpt2(config.architecture == Architecture::kGpt2),
        qk_norm(config.qk_norm) {}
  std::int64_t fused() const { return gpt2 ? wide + 2 * narrow : 0; }
  std::int64_t up() const { return gpt2 ? 0 : f; }
  std::int64_t widest() const { return std::max({c, f, wide, fused()}); }
  std::int64_t c, f, wide, narrow, heads, kv_heads, vocab;
  bool gpt2, qk_norm;
};

kernels::Form form_of(Precision precision, bool matrix_of_a_layer) {
  if (precision == Precision::kF32) return kernels::Form::kF32;
  if (precision == Precision::kBf16 || !matrix_of_a_layer) return kernels::Form::kBf16;
  return precision == Precision::kInt8 ? kernels::Form::kInt8 : kernels::Form::kNf4;
}

std::int64_t weight_bytes(const MemoryAsk& ask, Precision precision) {
  const ModelConfig& config = ask.config;
  std::int64_t bytes = 0, largest = 0;
  for (const WeightShape& weight : weight_shapes(config)) {
    if (weight.optional && config.tied_embeddings) continue;
    if (weight.shape.size() < 2) {
      bytes += weight.shape.front() * 4;
      continue;
    }
    const bool learned_positions = weight.name == "transformer.wpe.weight";
    const bool outside = weight.shape.front() == config.vocab_size || learned_positions;
    const kernels::Form form =
        learned_positions ? kernels::Form::kF32 : form_of(precision, !outside);
    bytes += kernels::bytes_of(form, weight.shape[0], weight.shape[1]) +
             4 * kernels::scales_of(form, weight.shape[0], weight.shape[1]);
    largest = std::max(largest, weight.shape[0] * weight.shape[1]);
  }
  const bool converted = !ask.file_in_form || precision != ask.precision;
  return bytes +
         (converted ? static_cast<std::int64_t>(ask.file_entry_bytes * static_cast<double>(largest))
                    : 0);  // one tensor of the file beside what it becomes
}

std::int64_t rank_max(const Layout& layout) {
  int highest = 0;
  for (const LayoutEntry& entry : layout.entries)
    if (entry.factor == Factor::kA) highest = std::max(highest, entry.rows);
  return highest;
}

std::int64_t ranks_of_a_layer(const MemoryAsk& ask) {
  std::int64_t sum = 0;
  for (const LayoutEntry& entry : ask.layout.entries)
    if (entry.factor == Factor::kA) sum += entry.rows;
  return (sum + ask.config.layers - 1) / ask.config.layers;
}

// Passes and what they keep; see Pass, Workspace, KeptLayer and Head.
std::int64_t pass_bytes(const MemoryAsk& ask, Precision precision, const TrainPlan& plan) {
  const Widths w(ask.config);
  const bool bf16 = precision != Precision::kF32 && kernels::multiplies_bf16(),
             train = plan.gradient == Gradient::kBackward;
  const std::int64_t rows =
      std::int64_t{plan.micro_batch > 0 ? std::min(plan.micro_batch, plan.base.batch)
                                        : plan.base.batch} *
      plan.base.window;
  const std::int64_t head_rows = std::min<std::int64_t>(plan.head_rows, rows),
                     kept_entry = bf16 ? 2 : 4;
  std::int64_t row = 4 * (w.c + w.fused() + 2 * w.wide + 2 * w.narrow + w.f + w.up() + w.f +
                          kReadersMax * rank_max(ask.layout) + std::max<std::int64_t>(w.heads, 2));
  if (train && !bf16 && !plan.recompute)
    row -=
        4 * (2 * w.wide + 2 * w.narrow + w.f + w.up());  // what is kept is written to its own place
  row += bf16 ? 2 * w.widest() : 0;
  if (bf16 && !train) row += 2 * (w.wide + 2 * w.narrow);  // what heads see
  if (bf16 && train && !w.gpt2) row += 2 * w.f;            // the gradients of gate and up at once
  row += 4 * w.c;                                          // x
  std::int64_t bytes = 0;
  if (train) {
    row += 4 * (w.c + w.fused() + 2 * w.wide + 2 * w.narrow + w.f + w.up() + w.f);
    const std::int64_t kept_row =
        kept_entry *
            (2 * w.wide + 2 * w.narrow + w.c + w.f + w.up() + (w.qk_norm ? w.wide + w.narrow : 0)) +
        4 * (4 + w.heads + (w.qk_norm ? w.heads + w.kv_heads : 0) + ranks_of_a_layer(ask));
    const std::int64_t input_row = plan.recompute ? 4 * w.c : kept_entry * w.c;
    bytes += rows *
             (input_row * ask.config.layers + kept_row * (plan.recompute ? 1 : ask.config.layers));
    row += 4 * (w.c + (plan.recompute ? w.c : 0) + w.c);  // an input, the same again, the middle
  }
  bytes += rows * row;
  bytes +=
      head_rows * (4 * w.c + 4 * w.vocab + (bf16 ? 2 * (train ? std::max(w.c, w.vocab) : w.c) : 0));
  const kernels::AttentionShape shape{
      plan.base.window,    ask.config.heads, ask.config.kv_heads,
      ask.config.head_dim, nullptr,          bf16 && ask.config.head_dim % 2 == 0};
  const std::int64_t panel =
      kernels::kPanelColumnsMax * std::max(w.widest(), train ? w.vocab : w.c) * (bf16 ? 2 : 4);
  bytes += ask.threads * (4 * kernels::attention_scratch(shape) + panel + kMiB / 8);
  return bytes;
}

std::int64_t adapter_bytes(const MemoryAsk& ask, const TrainPlan& plan) {
  const bool train = plan.gradient == Gradient::kBackward,
             moments = train && plan.optimizer == Optimizer::kAdamW;
  const std::int64_t copies =
      2 + (train ? 1 : 0) + (plan.dp.on() ? 2 : 0) +
      (moments ? 4 : 0);  // state, values; gradient; moments and what is saved of them
  return static_cast<std::int64_t>(ask.layout.size) * 4 * copies;
}

std::string megabytes(std::uint64_t bytes) {
  return std::to_string((bytes + 999'999) / 1'000'000) + "M";
}

struct Candidate {
  Precision precision;
  TrainPlan plan;
};

// From what costs least time to what costs most.
std::vector<Candidate> candidates(const MemoryAsk& ask) {
  std::vector<Precision> precisions = {ask.precision};
  if (!ask.precision_fixed)
    for (const Precision fewer : {Precision::kBf16, Precision::kInt8, Precision::kNf4})
      if (fewer > ask.precision) precisions.push_back(fewer);
  const int whole = ask.plan.micro_batch > 0 ? ask.plan.micro_batch : ask.plan.base.batch;
  std::vector<Candidate> all;
  for (const Precision precision : precisions)
    for (const bool recompute : {false, true}) {
      if (ask.plan.recompute && !recompute) continue;
      if (recompute && ask.plan.gradient == Gradient::kMezo) continue;
      for (int micro = whole; micro >= 1; micro /= 2) {
        for (const int head_rows : {512, 256, 128, 64, 16}) {
          if (head_rows > ask.plan.head_rows) continue;
          Candidate one{precision, ask.plan};
          one.plan.micro_batch = micro;
          one.plan.recompute = recompute;
          one.plan.head_rows = head_rows;
          all.push_back(one);
        }
        if (ask.plan.micro_batch > 0) break;
      }
    }
  return all;
}

std::string given_up(const MemoryAsk& ask, const Candidate& chosen) {
  std::string why;
  const auto add = [&](const std::string& what) { why += (why.empty() ? "" : ", ") + what; };
  if (chosen.precision != ask.precision)
    add("weights in " + std::string(name_of(chosen.precision)));
  if (chosen.plan.recompute && !ask.plan.recompute) add("activations are made again");
  const int whole = ask.plan.micro_batch > 0 ? ask.plan.micro_batch : ask.plan.base.batch;
  if (chosen.plan.micro_batch < whole)
    add("passes of " + std::to_string(chosen.plan.micro_batch) + " of " + std::to_string(whole) +
        " sequences");
  return why;
}

}  // namespace

std::uint64_t predicted_bytes(const MemoryAsk& ask, Precision precision, const TrainPlan& plan) {
  return ask.process_bytes + static_cast<std::uint64_t>(weight_bytes(ask, precision) +
                                                        pass_bytes(ask, precision, plan) +
                                                        adapter_bytes(ask, plan) + 2 * kMiB);
}

Result<MemoryChoice> choose_memory(const MemoryAsk& ask) {
  std::uint64_t smallest = UINT64_MAX;
  for (const Candidate& one : candidates(ask)) {
    const std::uint64_t bytes = predicted_bytes(ask, one.precision, one.plan);
    smallest = std::min(smallest, bytes);
    if (ask.bytes_max == 0 || bytes <= ask.bytes_max)
      return MemoryChoice{one.precision, one.plan, bytes, given_up(ask, one)};
  }
  return fail(Code::kBadInput,
              "no way of training this model at window " + std::to_string(ask.plan.base.window) +
                  " stays under " + megabytes(ask.bytes_max) + "; the smallest needs " +
                  megabytes(smallest) +
                  ": allow that, or take a shorter window, a lower rank or a smaller model");
}

std::uint64_t resident_bytes() {
  long total = 0, resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return static_cast<std::uint64_t>(resident) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t peak_resident_bytes() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace freshet
