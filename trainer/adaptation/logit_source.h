#pragma once
// What gives logits of a batch, some rows at a time, so that those of all rows never exist: a model
// with or without an adapter, or a large model moved by what tuning changed in a small one.

#include <functional>
#include <memory>
#include <vector>

#include "trainer/adaptation/prompts.h"
#include "trainer/transformer/pass.h"

namespace freshet {

class LogitSource {
 public:
  virtual ~LogitSource() = default;
  virtual int vocab() const = 0;
  virtual int positions() const = 0;  // tokens of the longest sequence
  // Runs the layers; rows() below then is about this batch. At most kReadRows rows, and fewer than
  // that only where one sequence is longer.
  virtual void read(const TokenBatch& batch) = 0;
  // Logits of rows [first, first + count) into out [count, vocab].
  virtual void rows(std::int64_t first, std::int64_t count, float* out) = 0;
};

inline constexpr std::int64_t kReadRows = 1024;  // of one read(): activations in memory
inline constexpr std::int64_t kLogitRows = 128;  // of one rows(): logits in memory

class ModelLogits final : public LogitSource {
 public:
  // REQUIRES: both outlive this.
  ModelLogits(const Transformer& model, const Lora& lora);
  int vocab() const override { return model_.config.vocab_size; }
  int positions() const override { return model_.config.max_positions; }
  void read(const TokenBatch& batch) override;
  void rows(std::int64_t first, std::int64_t count, float* out) override;

 private:
  const Transformer& model_;
  const Lora& lora_;
  std::unique_ptr<Pass> pass_;
  std::int64_t rows_max_ = 0;
  const float* hidden_ = nullptr;
};

// z_large + alpha (z_tuned - z_base): proxy-tuning (Liu et al. 2024, arXiv:2401.08565). REQUIRES:
// one vocabulary; all outlive this.
class ProxyLogits final : public LogitSource {
 public:
  ProxyLogits(LogitSource& large, LogitSource& tuned, LogitSource& base, float alpha)
      : large_(large), tuned_(tuned), base_(base), alpha_(alpha) {}
  int vocab() const override { return large_.vocab(); }
  int positions() const override;
  void read(const TokenBatch& batch) override;
  void rows(std::int64_t first, std::int64_t count, float* out) override;

 private:
  LogitSource &large_, &tuned_, &base_;
  float alpha_;
  std::vector<float> other_;
};

// kBadInput where the vocabularies of a proxy's three models differ in size: one tokenizer is
// needed.
Result<void> check_proxy(const LogitSource& large, const LogitSource& tuned,
                         const LogitSource& base);

// Calls on_rows(first row, count, logits [count, vocab]) over all rows of the prompts, in order.
void over_logits(
    LogitSource& source, const Prompts& prompts,
    const std::function<void(std::int64_t first, std::int64_t count, const float* z)>& on_rows);

}  // namespace freshet
